"""`POST /predict/batch`: a table of campaigns scored at once. A bad row gets its own error, the others their answer."""

import io
import json
import time
from collections import Counter
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from campaign.encoding import UNKNOWN_CATEGORY
from deployments.web_service import prometheus
from deployments.web_service.body import MANY_CAMPAIGNS, content_type_of
from deployments.web_service.capture import capture_schema
from deployments.web_service.documents import table_body
from deployments.web_service.formulas import without_formulas
from deployments.web_service.guarded import REFUSALS, Guarded
from deployments.web_service.live_model import LiveModel
from deployments.web_service.sent_columns import read_all_columns
from deployments.web_service.service import Service
from deployments.web_service.upload import MAX_CAMPAIGNS, Upload, read_upload, table_format

LEFT_OUT = "x-columns-left-out"  # names, as in a URL
UNKNOWN = "x-values-not-known"  # JSON: rows by value by column
MOST_LEFT_OUT = 100
MOST_UNKNOWN, MOST_CHARACTERS = 5, 40  # values that are named of a column, and what is shown of each
ADDED = ("probability", "success", "model_version", "error")


class ScoredRow(BaseModel):
    """One row's answer, or its error."""

    row: int = Field(ge=1, description="where it stood, counted from 1")
    campaignid: str | None = None
    success: bool | None = None
    probability: float | None = Field(None, ge=0, le=1)
    prediction_id: str | None = None
    error: str | None = None


class BatchPrediction(BaseModel):
    """What the champion says of a table of campaigns."""

    model_version: str
    successful: int
    unsuccessful: int
    rejected: int
    unknown: dict[str, dict[str, int]] = Field(description="rows by value that the model never met, by column")
    predictions: list[ScoredRow]


router = APIRouter(route_class=Guarded)


@router.post(
    "/predict/batch",
    response_model=BatchPrediction,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **REFUSALS},
    openapi_extra=table_body(MAX_CAMPAIGNS),
)
async def predict_batch(request: Request) -> Response:
    """Score up to 10,000 campaigns: JSON, CSV or Parquet in, JSON or (with `Accept: text/csv`) the scored table out.

    Columns that a CSV cannot hold are left out of it and named in the header `x-columns-left-out`; values that the
    model never met are in the header `x-values-not-known`.
    """
    service: Service = request.app.state.service
    service.rotation.ready()
    async with service.uploads.received(request, MANY_CAMPAIGNS) as body:
        kind = table_format(content_type_of(request.headers.raw), body)
        as_csv = "text/csv" in request.headers.get("accept", "")
        async with service.uploads.turn():
            content, left_out, unknown = await run_in_threadpool(answer, service, kind, body, as_csv)
    named = ", ".join(quote(name[:MOST_CHARACTERS]) for name in left_out[:MOST_LEFT_OUT])
    headers = {LEFT_OUT: named} if named else {}
    headers |= {UNKNOWN: json.dumps(unknown)} if unknown else {}
    headers["content-length"] = str(len(content))
    pieces = service.uploads.answer(content)
    return StreamingResponse(pieces, media_type="text/csv" if as_csv else "application/json", headers=headers)


def answer(
    service: Service, kind: str, body: bytes, as_csv: bool
) -> tuple[bytes, list[str], dict[str, dict[str, int]]]:
    """Read, score, render, count and capture, in this order: what fails is neither counted nor captured.

    Gives the answer, the columns that have no place in it, and what the model never met. Raises `Refusal`.
    """
    live = service.rotation.ready()
    upload = read_upload(kind, body, live, service.parquet)
    probability = live.model.predict(upload.matrix) if len(upload.matrix) else np.empty(0)
    unknown, left_out = unknown_values(upload, live), list[str]()
    successful = int(live.model.predicts_success(probability).sum())
    counts = {"successful": successful, "unsuccessful": len(probability) - successful, "rejected": len(upload.errors)}
    scored = _scored(upload, probability, live, service)
    if as_csv:
        sent = read_all_columns(kind, body, live.model.schema, service.parquet)
        rendered, left_out = _csv(sent.table, upload, scored), sent.left_out
    else:
        told = {"model_version": live.version, **counts, "unknown": unknown, "predictions": _rows(upload, scored)}
        rendered = json.dumps(told, allow_nan=False).encode()
    for name, rows in live.model.encoder.count_unknown(upload.matrix).items():
        if rows:
            prometheus.unknown.labels(name).inc(rows)
    prometheus.predictions.labels("success").inc(successful)
    prometheus.predictions.labels("failure").inc(counts["unsuccessful"])
    prometheus.rejected.inc(counts["rejected"])
    service.capture.add_table(scored)
    return rendered, left_out, unknown


def unknown_values(upload: Upload, live: LiveModel) -> dict[str, dict[str, int]]:
    """Rows by value that the model never met, the most frequent first, of each column that has some."""
    unknown: dict[str, dict[str, int]] = {}
    for at, column in enumerate(live.model.encoder.features):
        if not column.is_category or not (strange := upload.matrix[:, at] == UNKNOWN_CATEGORY).any():
            continue
        values = upload.campaigns.column(column.name).filter(pa.array(strange)).to_pylist()
        most = Counter(str(value)[:MOST_CHARACTERS] for value in values).most_common(MOST_UNKNOWN)
        unknown[column.in_file or column.name] = dict(most)
    return unknown


def _scored(upload: Upload, probability: Any, live: LiveModel, service: Service) -> pa.Table:
    """The good rows as they are captured."""
    rows = len(probability)
    columns = {name: upload.campaigns.column(name) for name in upload.campaigns.column_names}
    columns |= {
        "prediction_id": pa.array([service.capture.new_id() for _ in range(rows)], pa.string()),
        "probability": pa.array(probability),
        "success": pa.array(live.model.predicts_success(probability).astype(np.int8)),
        "model_version": pa.array([live.version] * rows, pa.string()),
        "answered_at": pa.array(np.full(rows, int(time.time() * 1e6))).cast(pa.timestamp("us", "UTC")),
    }
    captured = capture_schema(live.model.schema)
    return pa.table([columns[name] for name in captured.names], schema=captured)


def _rows(upload: Upload, scored: pa.Table) -> list[dict[str, Any]]:
    names = ("CampaignID", "success", "probability", "prediction_id")
    answers = zip(*(scored.column(name).to_pylist() for name in names), strict=True)
    rows: list[dict[str, Any]] = []
    for at in range(upload.rows):
        if at in upload.errors:
            rows.append({"row": at + 1, "error": upload.errors[at]})
            continue
        campaign, success, probability, prediction_id = next(answers)
        own = {} if campaign is None else {"campaignid": campaign}
        rows.append({"row": at + 1, **own, "success": bool(success), "probability": probability,
                     "prediction_id": prediction_id})  # fmt: skip
    return rows


def _csv(sent: pa.Table, upload: Upload, scored: pa.Table) -> bytes:
    """The table that was sent, with what became of each row at its right."""
    sent = without_formulas(sent.select([at for at, name in enumerate(sent.column_names) if name not in ADDED]))
    good = np.setdiff1d(np.arange(upload.rows), list(upload.errors))
    places = np.full(upload.rows, -1)
    places[good] = np.arange(len(good))
    at = pa.array(places, mask=places < 0)  # null, and so an empty cell, for a bad row
    for name in ("probability", "success", "model_version"):
        column = scored.column(name).cast(pa.bool_()) if name == "success" else scored.column(name)
        sent = sent.append_column(name, column.take(at))
    sent = sent.append_column("error", pa.array([upload.errors.get(row) for row in range(upload.rows)], pa.string()))
    out = io.BytesIO()
    pacsv.write_csv(sent, out, pacsv.WriteOptions(quoting_style="needed"))
    return out.getvalue()
