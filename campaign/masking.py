"""What is shown of an address."""

import re
from urllib.parse import urlsplit, urlunsplit

CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")


def without_credentials(text: str) -> str:
    """Addresses in a text without the user and password that they hold."""
    return CREDENTIALS.sub("", text)


def shown(source: str) -> str:
    """A path as it is; an address without user and password, and without its query, where a signature stands."""
    if "://" not in source:
        return source
    parts = urlsplit(source)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
