"""`POST /predict`: between a campaign and its probability no dependency is solved and no thread is asked."""

import json
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from deployments.web_service import prometheus
from deployments.web_service.body import GONE, ONE_CAMPAIGN, Gone, Receive, body_of, require_json
from deployments.web_service.browsers import NOSNIFF
from deployments.web_service.connection_limits import REFUSED
from deployments.web_service.documents import JSON_BODY
from deployments.web_service.guarded import REFUSALS, Guarded
from deployments.web_service.refusals import Headers, Refusal
from deployments.web_service.service import Service

ROUTE = "/predict"
_answered, _failed = prometheus.requests.labels(ROUTE, "200"), prometheus.requests.labels(ROUTE, "500")
_seconds = prometheus.latency.labels(ROUTE)
_outcomes = {True: prometheus.predictions.labels("success"), False: prometheus.predictions.labels("failure")}


class Prediction(BaseModel):
    """What the champion says of one campaign."""

    success: bool = Field(description="whether the probability is above the model's threshold")
    probability: float = Field(ge=0, le=1)
    model_version: str
    prediction_id: str = Field(description="under which this answer is captured")


# What OpenAPI says of the route; and 405 for other methods.
router = APIRouter(route_class=Guarded)


@router.post(ROUTE, response_model=Prediction, responses=REFUSALS, openapi_extra=JSON_BODY)
async def predict(request: Request) -> Response:
    """Whether one campaign will succeed, and how probable that is. Inputs and answer are captured."""
    raise NotImplementedError("PredictOne answers before the router is asked")


class PredictOne:
    """An ASGI application."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        began = perf_counter()
        counted = _failed
        try:
            service = self.service
            service.browsers.check(scope)
            address = service.addresses.of(scope)
            service.keys.check(scope["headers"], address)
            require_json(scope["headers"])
            with service.addresses.one_more(address):
                body = self.answer(await body_of(receive, scope["headers"], ONE_CAMPAIGN))
            headers: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), NOSNIFF]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            counted = _answered
        except Refusal as refusal:
            await refusal.send(send)
            counted = prometheus.requests.labels(ROUTE, str(refusal.status))
        except Gone:
            counted = prometheus.requests.labels(ROUTE, str(scope.get(REFUSED, GONE)))
        finally:
            counted.inc()
            _seconds.observe(perf_counter() - began)

    def answer(self, body: bytes) -> bytes:
        """Score, render, count and capture, in this order: what fails is neither counted nor captured.

        Raises `Refusal`.
        """
        service = self.service
        live = service.rotation.live or service.rotation.ready()
        campaign = live.request.read(body)
        probability, unknown = live.score(campaign)
        success = live.model.predicts_success(probability)
        prediction_id = service.capture.new_id()
        rendered = (
            f'{{"success":{"true" if success else "false"},"probability":{probability!r},'
            f'"model_version":{json.dumps(live.version)},"prediction_id":"{prediction_id}"}}'
        ).encode()
        for name in unknown:
            prometheus.unknown.labels(name).inc()
        _outcomes[success].inc()
        service.capture.add(prediction_id, campaign, probability, live, len(body))
        return rendered
