"""Every route but /predict, which does the same on its own: the key is asked for, and a refusal is an answer."""

from contextlib import suppress
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from deployments.web_service.body import Gone
from deployments.web_service.refusals import NotUnderstood, Refusal


class Sentence(BaseModel):
    """Cause and remedy."""

    detail: str


class Fault(BaseModel):
    """A field that is wrong, and why."""

    field: str
    reason: str


class Faults(BaseModel):
    """Everything that is wrong with a request."""

    detail: list[Fault]


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Sentence, "description": "No valid API key, where keys are configured"},
    413: {"model": Sentence, "description": "Longer than is allowed"},
    415: {"model": Sentence, "description": "A content type that is not understood"},
    422: {"model": Faults, "description": "Each field that is wrong, and the reason"},
    429: {"model": Sentence, "description": "One address asks for too much; ask again after Retry-After"},
    503: {"model": Sentence, "description": "No model is there yet, or no room; ask again after Retry-After"},
}


class Guarded(APIRoute):
    """A route that asks for a key, where keys are configured."""

    def is_open(self, service: Any) -> bool:
        return False

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "HEAD" and "GET" in (self.methods or ()):  # the server leaves out the body
            scope = {**scope, "method": "GET"}
        try:
            service = scope["app"].state.service
            if not self.is_open(service):
                service.keys.check(scope["headers"], service.addresses.of(scope))
            with suppress(Gone):
                await super().handle(scope, receive, send)
        except Refusal as refusal:
            await refusal.send(send)


class OpenToAll(Guarded):
    """What machines ask and holds no secrets."""

    def is_open(self, service: Any) -> bool:
        return True


class OpenIfMetricsAre(Guarded):
    def is_open(self, service: Any) -> bool:
        return bool(service.metrics_open)


async def wrong_parameter(_: Request, error: Exception) -> Any:
    """FastAPI's own finding about a path or a query, in the words of the others."""
    assert isinstance(error, RequestValidationError)
    raise NotUnderstood([(str(fault["loc"][-1]), fault["msg"]) for fault in error.errors()])
