"""A request's body, unpacked if it is packed, up to a limit."""

import zlib
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from deployments.web_service.refusals import NotUnderstood, TooLarge, WrongType

ONE_CAMPAIGN = 1 << 16  # bytes
MANY_CAMPAIGNS = 1 << 23
GZIP = (b"gzip", b"x-gzip")
GONE = 499  # what a client that went is counted as

Receive = Callable[[], Awaitable[Any]]


class Gone(Exception):
    """The client went before it had said all: there is nobody to answer."""


async def body_of(
    receive: Receive, headers: Iterable[tuple[bytes, bytes]], limit: int, count: Callable[[int], None] | None = None
) -> bytes:
    """All of it, at most `limit` bytes on the wire and unpacked, whatever is said of its length.

    `count` is told of the bytes that are kept, as they come, and may raise a `Refusal`. Raises `TooLarge`, `WrongType`
    for another packing than gzip, `NotUnderstood` for gzip that is damaged, and `Gone`.
    """
    packing = header(headers, b"content-encoding")
    if packing not in (b"", b"identity", *GZIP):
        raise WrongType(f"The content encoding is {packing.decode('latin-1')!r}. Send gzip, or none.")
    body = await _received(receive, limit, count)
    if packing not in GZIP:
        return body
    body = _unpacked(body, limit)
    if count:
        count(len(body))
    return body


def _unpacked(body: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(31)
    try:
        unpacked = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise NotUnderstood([("body", f"is said to be gzip, and is not ({error})")]) from error
    if len(unpacked) > limit:
        raise too_large(limit)
    if not inflater.eof:
        raise NotUnderstood([("body", "is gzip that ends before it is complete")])
    return unpacked


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is longer than {limit:,} bytes. Send fewer campaigns at once.")


async def _received(receive: Receive, limit: int, count: Callable[[int], None] | None) -> bytes:
    message = await receive()
    if not count and message["type"] == "http.request" and not message["more_body"] and len(message["body"]) <= limit:
        return message["body"]  # nearly always
    parts = bytearray()
    while True:
        if message["type"] != "http.request":
            raise Gone
        parts += message["body"]
        if count:
            count(len(message["body"]))
        if len(parts) > limit:
            raise too_large(limit)
        if not message["more_body"]:
            return bytes(parts)
        message = await receive()


def content_type_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The content type without its parameters, in lower case; empty if there is none."""
    return header(headers, b"content-type")


def header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    """A header's value without its parameters, in lower case; empty if there is none."""
    for name, value in headers:
        if name == wanted:
            return value.partition(b";")[0].strip().lower()
    return b""


def require_json(headers: Collection[tuple[bytes, bytes]]) -> None:
    """Raises `WrongType`, also where none is said. No page of another site may send JSON by a form."""
    if (b"content-type", b"application/json") in headers:  # nearly always
        return
    kind = content_type_of(headers)
    if kind != b"application/json" and not kind.endswith(b"+json"):
        said = f"The content type is {kind.decode('latin-1')!r}." if kind else "There is no content type."
        raise WrongType(f"{said} Send application/json.")
