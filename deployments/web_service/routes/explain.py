"""`POST /explain`: why a campaign gets its probability. Asked while someone moves a slider, so never captured."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from deployments.web_service.body import ONE_CAMPAIGN, body_of, require_json
from deployments.web_service.documents import json_body
from deployments.web_service.explanation import explain
from deployments.web_service.guarded import REFUSALS, Guarded
from deployments.web_service.request import canonical_campaign
from deployments.web_service.service import Service


def router(campaign: dict[str, Any]) -> APIRouter:
    """The route, for a campaign of this JSON schema."""
    made = APIRouter(route_class=Guarded)
    made.add_api_route("/explain", explain_one, methods=["POST"], responses=REFUSALS, openapi_extra=json_body(campaign))
    return made


async def explain_one(request: Request) -> dict[str, Any]:
    """The probability of a campaign, how it changes with goal and raised amount, and what each fact contributes."""
    service: Service = request.app.state.service
    live = service.rotation.ready()
    require_json(request.headers.raw)
    campaign = service.request.read(await body_of(request.receive, ONE_CAMPAIGN))
    return await run_in_threadpool(explain, live.model, canonical_campaign(campaign))
