"""What monitoring measures, as rows of the metrics table, and how they are written for a day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date

import sqlalchemy as sa

from tasks.metrics_database import metrics, now

OK, DRIFTED, DECAYED, LEARNT, NOT_JUDGED = "ok", "drifted", "decayed", "learnt", "not judged"
QUALITY_HOLDS = "drifted, quality holds"  # by outcomes
INCOMPLETE, UNJOINED = "incomplete", "unjoined"  # a file cannot be read; most outcomes are of no campaign of the day
JUDGED = ("judged_roc_auc", "judged_success_rate")  # the verdict of outcomes
CALENDAR = "calendar"  # of a column whose distance is charted and never counts
NOT_COMPUTABLE, TOO_FEW_ROWS = "not computable", "too few rows"
NOT_TRUSTED, BELOW_BAR = "not trusted", "below the bar"  # of what is estimated before outcomes come


@dataclass(frozen=True)
class MetricRow:
    """One row of the metrics table. `value` is None where it cannot be computed, and `status` says why."""

    metric: str
    value: float | None
    status: str = OK
    column_name: str = ""
    method: str | None = None
    threshold: float | None = None


def day_drifted_row(is_drifted: bool, is_judged: bool = True) -> MetricRow:
    """Whether a day is drifted, as a row of its own for charts and for the retraining call."""
    status = DRIFTED if is_drifted else OK if is_judged else NOT_JUDGED
    return MetricRow("day_drifted", float(is_drifted), status)


def day_state_row(rows: Iterable[MetricRow], verdict: Iterable[MetricRow] = ()) -> MetricRow:
    """What all that was measured of a day comes to, in one word. Outcomes outrank drift.

    A day that the version had learnt from says nothing of how it does on others. `verdict` is that on the window in
    which a small day was judged, where it stands beside a later day: that one decays by it, this one does not, but if
    quality held in the window, it did so on each of its drifted days.
    """
    statuses = {row.metric: row.status for row in rows if not row.column_name}
    own, of_window = ([found[name] for name in JUDGED if name in found] for found in (
        statuses, {row.metric: row.status for row in verdict},
    ))  # fmt: skip
    if statuses.get("learnt_rows") == LEARNT:
        state = LEARNT
    elif DECAYED in own:
        state = DECAYED
    elif statuses["day_drifted"] == DRIFTED and {*own, *of_window} == {OK}:
        state = QUALITY_HOLDS
    else:
        state = statuses["day_drifted"]
    return MetricRow("day_state", None, state)


def write_day_state(connection: sa.Connection, day: date, source: str, version: str, state: MetricRow) -> None:
    """In place of the state that stands there of a day; all else stays."""
    key = metrics.c.day == day, metrics.c.source == source, metrics.c.model_version == version
    row = {"status": state.status, "computed_at": now()}
    connection.execute(sa.update(metrics).where(*key, metrics.c.metric == state.metric).values(row))


def incomplete_row(unread: int) -> MetricRow:
    """How many files of a day, of campaigns or outcomes, could not be read."""
    return MetricRow("incomplete", float(unread), INCOMPLETE if unread else OK)


def write_metrics(
    connection: sa.Connection, day: date, source: str, rows_by_version: Mapping[str, list[MetricRow]]
) -> None:
    """Put what was measured of each version in place of the day's earlier rows."""
    moment = now()
    values = [
        {"day": day, "source": source, "model_version": version, "computed_at": moment, **vars(row)}
        for version, rows in rows_by_version.items()
        for row in rows
    ]
    connection.execute(sa.delete(metrics).where(metrics.c.day == day, metrics.c.source == source))
    if values:
        connection.execute(sa.insert(metrics), values)


def read_metrics(connection: sa.Connection, day: date, source: str, version: str) -> list[MetricRow]:
    """What stands there of a day."""
    names = [field.name for field in fields(MetricRow)]
    wanted = sa.select(*(metrics.c[name] for name in names)).where(
        metrics.c.day == day, metrics.c.source == source, metrics.c.model_version == version
    )
    return [MetricRow(**row._mapping) for row in connection.execute(wanted)]
