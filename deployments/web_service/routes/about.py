"""What the service says of itself: its model, whether it is alive and ready, its metrics, the reports of the store."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from campaign.errors import StoreError
from deployments.web_service.guarded import REFUSALS, Guarded, OpenToAll, Sentence
from deployments.web_service.live_model import LiveModel
from deployments.web_service.prometheus import render_metrics
from deployments.web_service.refusals import NotReady, NotThere
from deployments.web_service.service import Service

STATIC = Path(__file__).parents[1] / "static"
UNAVAILABLE: dict[int | str, dict[str, Any]] = {code: REFUSALS[code] for code in (401, 503)}

guarded, public = APIRouter(route_class=Guarded), APIRouter(route_class=OpenToAll)


@public.get("/", include_in_schema=False)
def page() -> FileResponse:
    """The page."""
    return FileResponse(STATIC / "index.html")


@guarded.get("/model", responses=UNAVAILABLE)
async def model(request: Request) -> dict[str, Any]:
    """The model in service: how good it is, what it learnt from, what it asks for, and what gives the outcome away."""
    service: Service = request.app.state.service
    return describe_model(service.rotation.ready())


@guarded.get(
    "/reports/{day}",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "The drift report of that day"},
        404: {"model": Sentence, "description": "There is no report of that day"},
        **{code: REFUSALS[code] for code in (401, 422, 503)},
    },
)
async def report(request: Request, day: Annotated[str, PathParameter(pattern=r"^\d{4}-\d{2}-\d{2}$")]) -> Response:
    """A day's drift report, from the store."""
    service: Service = request.app.state.service
    try:
        date.fromisoformat(day)
    except ValueError as error:
        raise NotThere(f"{day} is no day ({error}). Write it as 2026-11-22.") from error
    try:
        html = await run_in_threadpool(service.store.read, f"reports/day={day}/drift.html")
    except FileNotFoundError:
        remedy = f"Monitor that day: `campaign monitor --day {day}`."
        raise NotThere(f"There is no drift report of {day} in {service.store.uri}. {remedy}") from None
    except StoreError as error:
        raise NotReady(str(error), 30) from error
    # It runs scripts of its own, which have no business with the page of this service.
    return Response(html, media_type="text/html", headers={"content-security-policy": "sandbox allow-scripts"})


@public.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@public.get("/readyz", responses={503: REFUSALS[503]})
async def ready(request: Request) -> dict[str, Any]:
    """The model in service, and why a champion is not."""
    rotation = request.app.state.service.rotation
    live: LiveModel = rotation.ready()
    refused = rotation.refused and {"version": rotation.refused.champion, "reason": rotation.refused.why}
    return {
        "status": "ready",
        "model": live.model.name,
        "version": live.version,
        "since": live.since.isoformat(timespec="seconds"),
        "checked": live.check_result,
        "refused": refused,
        "registry": rotation.registry_error or "answers",
    }


@public.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def prometheus() -> Response:
    """For Prometheus."""
    text, content_type = render_metrics()
    return Response(text, headers={"content-type": content_type})


def describe_model(live: LiveModel) -> dict[str, Any]:
    """The answer of `GET /model`."""
    about, encoder = live.model.about, live.model.encoder
    features = [
        {
            "field": column.name.lower(),
            "name": column.name,
            "meaning": column.meaning,
            "unit": column.unit,
            "low": column.low,
            "high": column.high,
            "known": column.known,
            "categories": list(encoder.categories.get(column.name, ())),
        }
        for column in encoder.features
    ]
    return {
        "name": live.model.name,
        "version": live.version,
        "feature_set": encoder.feature_set,
        "metrics": about.get("metrics", {}),
        "trained": {
            "when": about.get("trained_at"),
            "on": about.get("origin"),
            "rows": about.get("rows_fitted"),
            "test_rows": about.get("rows_test"),
            "labelled_days": len(about.get("days", {})),
            "because": about.get("reasons", []),
        },
        "features": features,
        "leaks": " ".join(about.get("leaks", [])) or "No feature gives the outcome away.",
        "since": live.since.isoformat(timespec="seconds"),
        "checked": live.check_result,
    }
