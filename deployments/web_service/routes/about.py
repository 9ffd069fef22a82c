"""What the service says of itself: its model, whether it is alive and ready, its metrics, the reports of the store."""

import json
from collections.abc import Iterable
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse
from starlette.concurrency import run_in_threadpool

from campaign.errors import StoreError
from campaign.masking import shown
from campaign.model import QUANTILES
from campaign.schema import ID, Column
from deployments.web_service.guarded import REFUSALS, Guarded, OpenIfMetricsAre, OpenToAll, Sentence
from deployments.web_service.live_model import LiveModel
from deployments.web_service.prometheus import render_metrics
from deployments.web_service.refusals import NotReady, NotThere
from deployments.web_service.request import RequestField
from deployments.web_service.service import Service

SWAGGER = "/swagger"  # where its files are
NOT_FRAMED = "frame-ancestors 'none'"
DOCS_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; {NOT_FRAMED}"
)
REPORT_POLICY = f"sandbox allow-scripts; script-src 'unsafe-inline'; connect-src 'none'; img-src data:; {NOT_FRAMED}"
STATIC = Path(__file__).parents[1] / "static"
UNAVAILABLE: dict[int | str, dict[str, Any]] = {code: REFUSALS[code] for code in (401, 429, 503)}

guarded, public, counted = (APIRouter(route_class=kind) for kind in (Guarded, OpenToAll, OpenIfMetricsAre))


@public.get("/", include_in_schema=False)
def page() -> FileResponse:
    """The page."""
    return FileResponse(STATIC / "index.html")


@public.get("/favicon.ico", include_in_schema=False)
def icon() -> FileResponse:
    """For browsers that ask for it by this name, whatever the page says."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


@public.get("/docs", include_in_schema=False)
def documentation(request: Request) -> HTMLResponse:
    """Swagger's page of the interface, to read; a browser needs nothing from elsewhere.

    Swagger's scripts are somebody else's, and run as those of a strange site: the page's key is not theirs to read.
    """
    document = json.dumps(request.app.openapi()).replace("<", "\\u003c")
    page = (STATIC / "docs.html").read_text().replace("{document}", document)
    return HTMLResponse(page, headers={"content-security-policy": DOCS_POLICY})


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
        **{code: REFUSALS[code] for code in (401, 422, 429, 503)},
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
    return Response(html, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})


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


@counted.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, 401: REFUSALS[401], 429: REFUSALS[429]},
)
def prometheus() -> Response:
    """For Prometheus."""
    text, content_type = render_metrics()
    return Response(text, headers={"content-type": content_type})


def describe_model(live: LiveModel) -> dict[str, Any]:
    """The answer of `GET /model`.

    `features` are what the model sees; `asked` are the fields that a client sends, which derived features are computed
    from.
    """
    model, about = live.model, live.model.about
    schema, outcome = model.schema, model.schema.outcome
    return {
        "name": model.name,
        "version": live.version,
        "feature_set": schema.model.feature_set,
        "schema": {"name": schema.name, "digest": schema.digest},
        "id": schema.row.id or ID,
        "title": schema.model.title or f"Will this {outcome.noun} {outcome.yes}?",
        "words": {"noun": outcome.noun, "yes": outcome.yes, "no": outcome.no},
        "threshold": model.threshold,
        "base_rate": about.get("base_rate"),
        "decisive": decides_by_comparison(live),
        "metrics": about.get("metrics", {}),
        "trained": {
            "when": about.get("trained_at"),
            "on": about.get("origin") and shown(about["origin"]),
            "made_up": about.get("made_up", False),
            "rows": about.get("rows_fitted"),
            "test_rows": about.get("rows_test"),
            "labelled_days": len(about.get("days", {})),
            "because": about.get("reasons", []),
        },
        "features": [_describe(live, column) for column in schema.features],
        "asked": [
            _describe(live, field.column) if field.column else _describe_source(live, field)
            for field in live.request.fields
            if field.column is None or field.column in schema.features
        ],
        "leaks": " ".join(about.get("leaks", [])) or "No feature gives the outcome away.",
        "since": live.since.isoformat(timespec="seconds"),
        "checked": live.check_result,
    }  # fmt: skip


def _describe_source(live: LiveModel, field: RequestField) -> dict[str, Any]:
    """What derived features alone are computed from."""
    about: dict[str, Any] = dict.fromkeys(("low", "high", "start", "seen", "minimum"))
    about |= dict.fromkeys(("meaning", "unit", "role"), "") | {"known": "at launch", "categories": [], "derived": False}
    names = {"field": field.json_name, "name": field.key, "source": field.key}
    kind: str = field.kind
    start: str | float | None = f"An example {live.model.schema.outcome.noun}" if field.kind == "text" else None
    if kind == "time":
        start = _days_after(live, field.key)
        kind = "time" if _hour_counts(live, field.key) else "date"
    return about | names | {"kind": kind, "nullable": field.nullable, "start": start}


def _hour_counts(live: LiveModel, source: str) -> bool:
    """Whether it matters at what time of day it was: for its hour, or where spans are short."""
    for column in live.model.schema.features:
        derive = column.derive
        if derive is None or source.casefold() not in (name.casefold() for name in derive.arguments):
            continue
        median = _quantiles_of(live, column).get(0.5)
        if derive.function == "hour" or (derive.function == "days_between" and median is not None and median < 2):
            return True
    return False


def _days_after(live: LiveModel, source: str) -> float:
    """How many days after the others a time usually is: the median of a span that ends with it."""
    for column in live.model.schema.features:
        derive = column.derive
        if derive and derive.function == "days_between" and derive.arguments[1].casefold() == source.casefold():
            return float(_quantiles_of(live, column).get(0.5, 0.0))
    return 0.0


def _quantiles_of(live: LiveModel, column: Column) -> dict[float, float]:
    """Of what training saw of a number; empty for models from before."""
    return dict(zip(QUANTILES, live.model.columns.get(column.name, {}).get("quantiles", []), strict=False))


def decides_by_comparison(live: LiveModel) -> bool:
    """Whether the audit found that the amount raised against the goal decides the outcome."""
    goal, raised = (live.model.schema.with_role(role) for role in ("goal", "raised"))
    if goal is None or raised is None:
        return False
    pair = {goal.name, raised.name}
    # Models from before hold the audit's sentences alone.
    sentences = (f"`{first}` against `{second}` " for first, second in permutations(pair))
    said = any(leak.startswith(start) for start in sentences for leak in live.model.about.get("leaks", []))
    return said or any(set(names) == pair for names in live.model.about.get("decisive", []))


def _describe(live: LiveModel, column: Column) -> dict[str, Any]:
    """A feature as the page needs it: `low`, `high` and `start` for its slider, `seen` for what training saw."""
    seen, quantiles = live.model.columns.get(column.name, {}), _quantiles_of(live, column)
    low, high, start = (quantiles.get(at) for at in (0.01, 0.99, 0.5))
    if counts := seen.get("categories"):
        start = max(counts, key=counts.get)
    smallest, largest = quantiles.get(0, column.low), quantiles.get(1, column.high)
    return {
        "field": column.field,
        "name": column.name,
        "source": column.in_file,
        "kind": column.type,
        "derived": column.derive is not None,
        "meaning": column.meaning,
        "unit": column.unit,
        "role": column.role,
        "known": column.known,
        "nullable": column.nullable,
        "low": low if column.low is None else column.low,
        "high": high if column.high is None else column.high,
        "start": start if column.start is None else column.start,
        "seen": None if smallest is None else [smallest, largest],
        "minimum": column.exclusive_minimum if column.minimum is None else column.minimum,
        "categories": _in_order(column, live.model.encoder.categories.get(column.name, ())),
    }


def _in_order(column: Column, categories: Iterable[str]) -> list[str]:
    """As the schema lists them, then by name: the model's own order is that of their success."""
    listed = {name.casefold(): place for place, name in enumerate(column.categories)}
    return sorted(categories, key=lambda name: (listed.get(name.casefold(), len(listed)), name.casefold()))
