"""Every route but /predict, which does the same on its own: the key is asked for, the answer counted and timed."""

from time import perf_counter
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from deployments.web_service import prometheus
from deployments.web_service.body import GONE, Gone
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
        began = perf_counter()
        status = 500

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        if scope["method"] == "HEAD" and "GET" in (self.methods or ()):  # the server leaves out the body
            scope = {**scope, "method": "GET"}
        try:
            service = scope["app"].state.service
            if not self.is_open(service):
                service.keys.check(scope["headers"], service.addresses.of(scope))
            await super().handle(scope, receive, watched)
        except Refusal as refusal:
            await refusal.send(watched)
        except HTTPException as error:
            status = error.status_code
            raise
        except Gone:
            status = GONE
        finally:
            prometheus.requests.labels(self.path, str(status)).inc()
            prometheus.latency.labels(self.path).observe(perf_counter() - began)


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
