"""Call for retraining when the world has moved and there is something new to learn from."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event
from sqlalchemy.exc import IntegrityError

from campaign.model import ScoringModel
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from tasks.labelled_days import find_labelled_days, unseen_labels
from tasks.metrics_database import champions, database, metrics, now, retraining_calls
from tasks.model_versions import find_champion, load_version
from tasks.monitoring.estimated_quality import ESTIMATED_ROC_AUC, UNSEEN_ROWS
from tasks.monitoring.metric_rows import BELOW_BAR, DECAYED, DRIFTED, JUDGED, LEARNT, NOT_TRUSTED, OK, QUALITY_HOLDS
from tasks.monitoring.monitor import BATCH
from tasks.monitoring.quality import OF_DECAY
from tasks.outcomes import count_outcome_rows
from tasks.retries import RETRIES

EVENT = "campaign.retraining.needed"
NOT_NEEDED, CALLED, AWAITING, CALLED_BEFORE = "not needed", "called", "awaiting_outcomes", "called_before"
RECENT_DAYS, DRIFTED_DAYS = 3, 2


@dataclass(frozen=True)
class Call:
    """Whether retraining was called for, and why. `status` is one of the four above."""

    status: str
    reasons: list[str]


def find_reasons(connection: sa.Connection, version: str) -> list[str]:
    """Why the champion should be retrained, in words; empty when it should not.

    The newest monitored day is drifted and at least two of the last three were, not counting those of which
    outcomes have shown that quality holds, and there is cause for doubt. Or outcomes of days that this champion scored
    have shown that it decayed. A day that it had learnt from says nothing.
    """
    own = sa.and_(metrics.c.source == BATCH, metrics.c.model_version == version)
    learnt = sa.select(metrics.c.day).where(own, metrics.c.metric == "day_state", metrics.c.status == LEARNT)
    days = connection.execute(
        sa.select(metrics.c.day, metrics.c.status)
        .where(own, metrics.c.metric == "day_drifted", metrics.c.day.not_in(learnt))
        .order_by(metrics.c.day.desc())
        .limit(RECENT_DAYS)
    ).all()
    harmless = set(connection.execute(
        sa.select(metrics.c.day).where(own, metrics.c.metric == "day_state", metrics.c.status == QUALITY_HOLDS)
    ).scalars())  # fmt: skip
    reasons = []
    drifted = [row.day for row in days if row.status == DRIFTED and row.day not in harmless]
    if drifted and drifted[0] == days[0].day and len(drifted) >= DRIFTED_DAYS:
        doubt = find_doubt(connection, own, drifted[0])
        if doubt is not None:
            reasons.append(f"{drifted[0]} is drifted, and {len(drifted)} of the last {len(days)} days are{doubt}")
    spans = dict(
        connection.execute(
            sa.select(metrics.c.day, metrics.c.value)
            .where(own, metrics.c.metric == "days_judged", metrics.c.column_name == OF_DECAY)
        ).tuples().all()
    )  # fmt: skip
    decayed = connection.execute(
        sa.select(metrics.c.day, metrics.c.metric, metrics.c.value, metrics.c.threshold)
        .where(own, metrics.c.metric.in_(JUDGED), metrics.c.status == DECAYED)
        .order_by(metrics.c.day, metrics.c.metric)
    )
    return [*reasons, *(_decay_reason(row, int(spans.get(row.day, 1))) for row in decayed)]


def find_doubt(connection: sa.Connection, own: sa.ColumnElement[bool], day: date) -> str | None:
    """Why quality may have suffered on a drifted day, as the end of a sentence; None where its estimate denies that.

    It is estimated to be below the bar, or not to be estimated so that one could trust it.
    """
    wanted = sa.select(metrics.c.metric, metrics.c.value, metrics.c.threshold, metrics.c.status)
    rows = connection.execute(
        wanted.where(own, metrics.c.day == day, metrics.c.metric.in_((ESTIMATED_ROC_AUC, UNSEEN_ROWS)))
    )
    found = {row.metric: row for row in rows}
    status = found[ESTIMATED_ROC_AUC].status if ESTIMATED_ROC_AUC in found else None
    if status == OK:
        return None
    if status == BELOW_BAR:
        estimate = found[ESTIMATED_ROC_AUC]
        return f" (ROC-AUC is estimated to be {estimate.value:.3f}, below {estimate.threshold:.3f})"
    if status == NOT_TRUSTED:
        return f" ({found[UNSEEN_ROWS].value:.0%} of its rows hold what training never saw)"
    return ""  # it cannot be estimated, or was monitored before there were estimates


def has_reasons() -> bool:
    """Whether the champion should be retrained, by what the metrics database has: MLflow takes seconds to load."""
    with database().connect() as connection:
        newest = sa.select(champions.c.version).order_by(champions.c.changed_at.desc()).limit(1)
        champion = connection.execute(newest).scalar()
        return champion is not None and bool(find_reasons(connection, champion))


def _decay_reason(row: sa.Row[Any], days: int) -> str:
    span = str(row.day) if days == 1 else f"the {days} days up to {row.day}"
    if row.metric == JUDGED[0]:
        return f"ROC-AUC of {span} is {row.value:.3f}, below {row.threshold:.3f}"
    return f"of the campaigns of {span} {row.value:.1%} succeeded, where {row.threshold:.1%} were foretold"


def count_outcomes(store: Store, model: ScoringModel, unjoined: Mapping[str, int]) -> dict[str, int]:
    """Outcome rows per labelled day that are of its campaigns.

    `unjoined` are those that are not, or cannot be read, by what monitoring found; of a day that it has not seen, by
    what training found.
    """
    unjoined = model.about.get("unjoined", {}) | unjoined
    counted = {day.day: count_outcome_rows(day.outcomes, model.schema) for day in find_labelled_days(store)}
    return {day: rows - unjoined.get(day, 0) for day, rows in counted.items()}


def find_unjoined(connection: sa.Connection) -> dict[str, int]:
    """Of each monitored day, how many outcome rows are of no campaign of it or cannot be read, as it was last seen."""
    wanted = sa.select(metrics.c.day, metrics.c.value).where(metrics.c.metric == "unjoined", metrics.c.source == BATCH)
    return {str(row.day): int(row.value) for row in connection.execute(wanted.order_by(metrics.c.computed_at))}


def retraining_call(connection: sa.Connection, model: ScoringModel, count_labels: Callable[[], dict[str, int]]) -> Call:
    """Call once per cause: again only with new labels or a new champion. Writes the call down.

    Labels are counted only where there is a reason: that opens every file of outcomes.
    """
    reasons = find_reasons(connection, model.version)
    if not reasons:
        return Call(NOT_NEEDED, [])
    counts = count_labels()
    unseen = unseen_labels(model, counts)
    if not unseen:
        return Call(AWAITING, reasons)
    labels = hashlib.sha256(json.dumps(counts, sort_keys=True).encode()).hexdigest()[:12]
    row = {"called_at": now(), "champion": model.version, "labels": labels, "reasons": "; ".join(reasons)}
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(retraining_calls).values(row))
    except IntegrityError:  # this run or another has called for it
        return Call(CALLED_BEFORE, reasons)
    return Call(CALLED, reasons)


def record_status(connection: sa.Connection, version: str, call: Call) -> None:
    """The status as a metric of the newest monitored day, for charts and alerts."""
    newest = connection.execute(
        sa.select(sa.func.max(metrics.c.day)).where(metrics.c.source == BATCH, metrics.c.model_version == version)
    ).scalar()
    if newest is None:
        return
    key = {"day": newest, "source": BATCH, "model_version": version, "metric": "retraining", "column_name": ""}
    connection.execute(sa.delete(metrics).where(*(metrics.c[name] == value for name, value in key.items())))
    value = float(call.status in (CALLED, AWAITING, CALLED_BEFORE))
    connection.execute(sa.insert(metrics).values(**key, value=value, status=call.status, computed_at=now()))


@task(timeout_seconds=120, **RETRIES)
def call_for_retraining() -> Call:
    """Decide, write it down, and emit the event that starts the training."""
    name, logger = served_model(), get_run_logger()
    champion = find_champion(name)
    if champion is None:
        return Call(NOT_NEEDED, [])
    model = load_version(champion)
    with database().begin() as connection:
        unjoined = find_unjoined(connection)
        call = retraining_call(connection, model, lambda: count_outcomes(Store(Settings().store), model, unjoined))
        record_status(connection, model.version, call)
    if call.status == CALLED:
        emit_event(EVENT, {"prefect.resource.id": f"campaign.model.{name}"}, payload={"reasons": call.reasons})
    log = logger.info if call.status == NOT_NEEDED else logger.warning
    log("Retraining: %s%s", call.status, "".join(f"\n  {reason}" for reason in call.reasons))
    lines = "\n".join(f"- {reason}" for reason in call.reasons)
    create_markdown_artifact(
        f"Retraining of {name}: **{call.status}**\n\n{lines}", "retraining", "Is retraining needed?"
    )
    return call
