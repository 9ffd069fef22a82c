"""What is shown of an address."""

import re

CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")


def without_credentials(text: str) -> str:
    """Addresses in a text without the user and password that they hold."""
    return CREDENTIALS.sub("", text)
