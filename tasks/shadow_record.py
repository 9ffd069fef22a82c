"""What the metrics database holds of the shadow: whether the challenger is to be judged again, and the last verdict."""

from dataclasses import dataclass

import sqlalchemy as sa

from tasks.manifest import SHADOW
from tasks.metrics_database import database, metrics, now

VERDICT = "verdict"  # the metric; its status is one of these, its method says why in words
PROMOTED, NOT_BETTER, WAITING = "promoted", "not better", "waiting"
IN_SHADOW = metrics.c.source == SHADOW


@dataclass(frozen=True)
class ShadowVerdict:
    """What became of the challenger. `version` is empty where there is none."""

    version: str
    status: str
    reason: str

    def __str__(self) -> str:
        who = f"version {self.version}" if self.version else "no challenger"
        return f"{who}, {self.status}: {self.reason}"


def is_verdict_due() -> bool:
    """Whether outcomes were measured in the shadow since the challenger was last judged."""
    has_outcomes = sa.and_(metrics.c.metric == "outcomes", metrics.c.value > 0)
    with database().connect() as connection:
        measured, judged = (
            connection.execute(sa.select(sa.func.max(metrics.c.computed_at)).where(IN_SHADOW, condition)).scalar()
            for condition in (has_outcomes, metrics.c.metric == VERDICT)
        )
    return measured is not None and (judged is None or measured > judged)


def record_verdict(verdict: ShadowVerdict) -> None:
    """As a metric of the newest day in the shadow, in place of what stands there."""
    with database().begin() as connection:
        newest = connection.execute(sa.select(metrics).where(IN_SHADOW).order_by(metrics.c.day.desc()).limit(1)).first()
        if newest is None:
            return
        of_the_day = IN_SHADOW, metrics.c.day == newest.day, metrics.c.metric == VERDICT
        connection.execute(sa.delete(metrics).where(*of_the_day))
        row = {
            "day": newest.day, "source": SHADOW, "model_version": verdict.version or newest.model_version,
            "metric": VERDICT, "column_name": "", "value": float(verdict.status == PROMOTED),
            "status": verdict.status, "method": verdict.reason, "computed_at": now(),
        }  # fmt: skip
        connection.execute(sa.insert(metrics).values(row))


def read_verdict() -> ShadowVerdict | None:
    """The last one."""
    wanted = sa.select(metrics).where(IN_SHADOW, metrics.c.metric == VERDICT).order_by(metrics.c.computed_at.desc())
    with database().connect() as connection:
        row = connection.execute(wanted.limit(1)).first()
    return ShadowVerdict(row.model_version, row.status, row.method) if row else None
