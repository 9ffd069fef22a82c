"""`POST /explain`: why a campaign gets its probability. Asked while someone moves a slider, so never captured."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from deployments.web_service.body import ONE_CAMPAIGN, body_of, require_json
from deployments.web_service.documents import JSON_BODY
from deployments.web_service.explanation import explain
from deployments.web_service.guarded import REFUSALS, Guarded
from deployments.web_service.service import Service

router = APIRouter(route_class=Guarded)


@router.post("/explain", responses=REFUSALS, openapi_extra=JSON_BODY)
async def explain_one(request: Request) -> dict[str, Any]:
    """The probability of a campaign, how it changes with goal and raised amount, and what each fact contributes."""
    service: Service = request.app.state.service
    live = service.rotation.ready()
    require_json(request.headers.raw)
    campaign = live.request.read(await body_of(request.receive, request.headers.raw, ONE_CAMPAIGN))
    return await run_in_threadpool(explain, live, live.request.canonical(campaign))
