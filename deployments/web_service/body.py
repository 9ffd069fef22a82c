"""A request's body, up to a limit."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from deployments.web_service.refusals import TooLarge, WrongType

ONE_CAMPAIGN = 1 << 16  # bytes
MANY_CAMPAIGNS = 1 << 23
GONE = 499  # what a client that went is counted as

Receive = Callable[[], Awaitable[Any]]


class Gone(Exception):
    """The client went before it had said all: there is nobody to answer."""


async def body_of(receive: Receive, limit: int) -> bytes:
    """All of it. Raises `TooLarge` when the limit is passed, however long it was said to be, and `Gone`."""
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"] and len(message["body"]) <= limit:
        return message["body"]  # nearly always
    parts = bytearray()
    while True:
        if message["type"] != "http.request":
            raise Gone
        parts += message["body"]
        if len(parts) > limit:
            raise TooLarge(f"The body is longer than {limit:,} bytes. Send fewer campaigns at once.")
        if not message["more_body"]:
            return bytes(parts)
        message = await receive()


def content_type_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The content type without its parameters, in lower case; empty if there is none."""
    for name, value in headers:
        if name == b"content-type":
            return value.partition(b";")[0].strip().lower()
    return b""


def require_json(headers: Collection[tuple[bytes, bytes]]) -> None:
    """Raises `WrongType`. No page of another site may send JSON by a form, so none can have its inputs captured."""
    if (b"content-type", b"application/json") in headers:  # nearly always
        return
    kind = content_type_of(headers)
    if kind not in (b"application/json", b"") and not kind.endswith(b"+json"):
        raise WrongType(f"The content type is {kind.decode('latin-1')!r}. Send application/json.")
