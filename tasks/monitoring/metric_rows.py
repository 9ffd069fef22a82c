"""What monitoring measures, as rows of the metrics table, and how they are written for a day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, insert, select

from tasks.metrics_database import database, metrics, monitored, now

OK, DRIFTED, DECAYED = "ok", "drifted", "decayed"
NOT_COMPUTABLE, TOO_FEW_ROWS = "not computable", "too few rows"


@dataclass(frozen=True)
class MetricRow:
    """One row of the metrics table. `value` is None where it cannot be computed, and `status` says why."""

    metric: str
    value: float | None
    status: str = OK
    column_name: str = ""
    method: str | None = None
    threshold: float | None = None


def day_drifted_row(is_drifted: bool) -> MetricRow:
    """Whether a day is drifted, as a row of its own for charts and for the retraining call."""
    return MetricRow("day_drifted", float(is_drifted), DRIFTED if is_drifted else OK)


def write_metrics(day: date, source: str, rows_by_version: Mapping[str, list[MetricRow]], fingerprint: str) -> None:
    """Put what was measured of each version in place of the day's earlier rows, in one transaction."""
    moment = now()
    values = [
        {"day": day, "source": source, "model_version": version, "computed_at": moment, **vars(row)}
        for version, rows in rows_by_version.items()
        for row in rows
    ]
    with database().begin() as connection:
        for table in (metrics, monitored):
            connection.execute(delete(table).where(table.c.day == day, table.c.source == source))
        if values:
            connection.execute(insert(metrics), values)
        row = {"day": day, "source": source, "fingerprint": fingerprint, "monitored_at": moment}
        connection.execute(insert(monitored).values(row))


def changed_days(days: list[date], source: str, fingerprint_of: Callable[[date], str]) -> list[date]:
    """The days whose fingerprint differs from that of the last time they were monitored."""
    with database().connect() as connection:
        rows = connection.execute(select(monitored.c.day, monitored.c.fingerprint).where(monitored.c.source == source))
        fingerprints = {row.day: row.fingerprint for row in rows}
    return [day for day in days if fingerprints.get(day) != fingerprint_of(day)]
