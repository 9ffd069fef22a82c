"""Who may ask: anyone, or whoever sends one of the keys in CAMPAIGN_API_KEYS."""

import binascii
from base64 import b64decode
from collections.abc import Collection
from hmac import compare_digest

from deployments.web_service.refusals import NoKey

Headers = Collection[tuple[bytes, bytes]]


class Keys:
    """Several at once, so that one can be replaced while the other still works. Without any, all is open."""

    def __init__(self, listed: str) -> None:
        self._keys = [key.strip().encode() for key in listed.split(",") if key.strip()]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def check(self, headers: Headers) -> None:
        """Raises `NoKey`. Every key is compared, in a time that does not tell how much of one was right."""
        if self._keys:
            given = _given(headers)
            if not sum(compare_digest(given, key) for key in self._keys):
                raise NoKey(in_browser=any(name == b"accept" and b"text/html" in value for name, value in headers))


def _given(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization":
            scheme, _, rest = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                return rest.strip()
            if scheme.lower() == b"basic":
                return _password(rest)
    return b""


def _password(encoded: bytes) -> bytes:
    try:
        return b64decode(encoded).partition(b":")[2]
    except binascii.Error:
        return b""
