"""Why a request gets no prediction: one family of answers, each with its status."""

import json
from collections.abc import Sequence
from typing import Any

Headers = list[tuple[bytes, bytes]]


class Refusal(Exception):
    """An answer in JSON: `detail` is a sentence of cause and one of remedy, or the list of fields that are wrong."""

    status = 400

    def __init__(self, detail: Any, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(detail)
        self.body = json.dumps({"detail": detail}, allow_nan=False).encode()
        length = (b"content-length", str(len(self.body)).encode())
        self.headers: Headers = [(b"content-type", b"application/json"), length, *headers]

    async def send(self, send: Any) -> None:
        """Answer it, as an ASGI application does."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


class NoKey(Refusal):
    """401. A link that is followed in a browser (Grafana's to a report) makes it ask; what a page asks for does not."""

    status = 401

    def __init__(self, in_browser: bool) -> None:
        detail = "There is no valid API key. Send one as X-API-Key, as a Bearer token, or as the password of any user."
        challenge = b'Basic realm="campaign-success", charset="UTF-8"' if in_browser else b"ApiKey"
        super().__init__(detail, [(b"www-authenticate", challenge)])


class Forbidden(Refusal):
    """403."""

    status = 403


class NotThere(Refusal):
    """404."""

    status = 404


class TooLarge(Refusal):
    """413."""

    status = 413


class WrongType(Refusal):
    """415."""

    status = 415


class NotUnderstood(Refusal):
    """422: each field that is wrong, and the reason."""

    status = 422

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = faults
        super().__init__([{"field": field, "reason": reason} for field, reason in faults])

    @property
    def sentence(self) -> str:
        return "; ".join(f"{field} {reason}" for field, reason in self.faults)


class TooMany(Refusal):
    """429: what one address may ask for is used up, for so many seconds."""

    status = 429

    def __init__(self, why: str, retry_after: int) -> None:
        super().__init__(why, [(b"retry-after", str(retry_after).encode())])


class NotReady(Refusal):
    """503, until a model is there, or room."""

    status = 503

    def __init__(self, why: str, retry_after: int) -> None:
        super().__init__(why, [(b"retry-after", str(retry_after).encode())])
