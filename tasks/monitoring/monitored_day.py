"""What monitoring found of a scored day, as results and the terminal have it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from campaign.settings import Settings
from tasks.monitoring.estimated_quality import ESTIMATED_ROC_AUC, UNSEEN_ROWS
from tasks.monitoring.metric_rows import DRIFTED, NOT_JUDGED, NOT_TRUSTED, MetricRow


@dataclass(frozen=True)
class MonitoredDay:
    """What monitoring found. ROC-AUC is None without outcomes; `days` is how many the inputs span, `rows` how many they
    are together, `incomplete` how many files of the day could not be read.

    `outcomes_share`: of the day's campaigns, those whose outcome has come. `estimated_roc_auc`: what was to be expected
    before, `interval` says how surely; None if `unseen` of its rows are too many to trust it, or it has too few rows.
    """

    day: str
    model_version: str
    state: str
    days: int
    drifted: bool
    drifted_columns: list[str]
    prediction_drift: float | None
    roc_auc: float | None
    report: str
    rows: int = 0
    incomplete: int = 0
    outcomes_share: float = 0.0
    estimated_roc_auc: float | None = None
    interval: str = ""
    unseen: float = 0.0

    @property
    def quality(self) -> str:
        """ROC-AUC by the outcomes that have come, how many these are, and what the probabilities alone foretell."""
        realised = "-" if self.roc_auc is None else f"{self.roc_auc:.4f}"
        if self.roc_auc is not None and self.outcomes_share < Settings().outcomes_share:
            realised += f" by {self.outcomes_share:.0%} of the outcomes"
        if self.estimated_roc_auc is not None:
            return f"ROC-AUC {realised}, estimated {self.estimated_roc_auc:.4f} ({self.interval})"
        if self.unseen > Settings().unseen_rows_share:
            return f"ROC-AUC {realised}, no estimate: {self.unseen:.0%} of the rows hold what training never saw"
        return f"ROC-AUC {realised}"

    @property
    def verdict(self) -> str:
        """The state, of a day that was not judged why, and whether outcomes are missing that came."""
        state = self.state
        if state == NOT_JUDGED:
            state = f"{state}: {self.rows:,} rows, needs {Settings().drift_min_rows:,}"
        return f"{state} (incomplete: {self.incomplete} unreadable)" if self.incomplete else state

    @classmethod
    def of(cls, day: date, version: str, rows: list[MetricRow], report: str) -> MonitoredDay:
        by_name = {row.metric: row for row in rows if not row.column_name}
        drifted = [row.column_name for row in rows if row.metric == "column_drift" and row.status == DRIFTED]
        roc_auc, incomplete = by_name.get("realised_roc_auc"), by_name.get("incomplete")
        share, estimate, unseen = (by_name.get(name) for name in ("outcomes_share", ESTIMATED_ROC_AUC, UNSEEN_ROWS))
        if estimate and estimate.status == NOT_TRUSTED:
            estimate = None
        return cls(
            str(day), version, by_name["day_state"].status, int(by_name["days_judged"].value or 1),
            by_name["day_drifted"].status == DRIFTED, drifted, by_name["prediction_drift"].value,
            roc_auc.value if roc_auc else None, report, int(by_name["sample_rows"].value or 0),
            int(incomplete.value or 0) if incomplete else 0, (share.value or 0.0) if share else 0.0,
            estimate.value if estimate else None, (estimate.method or "").split(", ")[0] if estimate else "",
            (unseen.value or 0.0) if unseen else 0.0,
        )  # fmt: skip
