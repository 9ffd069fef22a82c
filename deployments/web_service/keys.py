"""Who may ask: anyone, or whoever sends one of the keys in CAMPAIGN_API_KEYS, and does not guess."""

import binascii
from base64 import b64decode
from collections import deque
from collections.abc import Collection
from hmac import compare_digest
from math import ceil
from time import monotonic

from campaign.errors import BadInput
from deployments.web_service.refusals import NoKey, TooMany

MIN_CHARACTERS = 16
MAX_WRONG, WINDOW = 10, 60.0  # wrong keys of one address, within so many seconds
MAX_ADDRESSES = 10_000  # that are remembered

Headers = Collection[tuple[bytes, bytes]]


class Keys:
    """Several at once, so that one can be replaced while the other still works. Without any, all is open.

    Raises `BadInput` for one that could be guessed.
    """

    def __init__(self, listed: str) -> None:
        self._keys = [key.strip().encode() for key in listed.split(",") if key.strip()]
        self._wrong: dict[str | None, deque[float]] = {}
        if any(len(key) < MIN_CHARACTERS for key in self._keys):
            raise BadInput(
                f"CAMPAIGN_API_KEYS holds a key of fewer than {MIN_CHARACTERS} characters.",
                "Make one with `openssl rand -hex 16`.",
            )

    def __bool__(self) -> bool:
        return bool(self._keys)

    def check(self, headers: Headers, address: str | None = None) -> None:
        """Raises `NoKey`, and `TooMany` for an address that has sent too many wrong ones.

        Every key is compared, in a time that does not tell how much of one was right. Where addresses are not known,
        the right key is let in all the same: else anyone could lock out everybody.
        """
        if not self._keys:
            return
        given = _given(headers)
        is_right = sum(compare_digest(given, key) for key in self._keys)
        if self._wrong and (seconds := self._seconds_to_wait(address)) and not (is_right and address is None):
            raise TooMany(f"There were more than {MAX_WRONG} wrong keys. Wait {seconds} s.", seconds)
        if not is_right:
            if given:
                self._remember(address)
            raise NoKey(in_browser=any(name == b"accept" and b"text/html" in value for name, value in headers))

    def _seconds_to_wait(self, address: str | None) -> int:
        wrong = self._wrong.get(address)
        if wrong is None or len(wrong) < MAX_WRONG:
            return 0
        return max(0, ceil(wrong[0] + WINDOW - monotonic()))

    def _remember(self, address: str | None) -> None:
        wrong = self._wrong.pop(address, None) or deque(maxlen=MAX_WRONG)
        wrong.append(monotonic())
        self._wrong[address] = wrong  # the last one to be forgotten
        if len(self._wrong) > MAX_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]


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
