"""Whether a model has decayed: intervals, not bare figures, of ROC-AUC and of the share of successes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from campaign.model import REFERENCE
from campaign.schema import LABEL
from campaign.settings import Settings
from tasks.measures import Ranked
from tasks.monitoring.drift import PROBABILITY
from tasks.monitoring.labelled_predictions import LabelledPredictions
from tasks.monitoring.metric_rows import DECAYED, JUDGED, NOT_COMPUTABLE, OK, MetricRow


@dataclass(frozen=True)
class Bar:
    """The ROC-AUC below which a model has decayed, and the variance of its sampling error."""

    roc_auc: float
    variance: float


def bar_of(metrics: Mapping[str, float], rows_test: int, folder: Path, settings: Settings) -> Bar:
    """`later_roc_auc` where the model has it, else the test's, less `decay_margin`.

    The sampling error is that of the reference, scaled to all test rows.
    """
    roc_auc = metrics.get("later_roc_auc", metrics["roc_auc"]) - settings.decay_margin
    return Bar(roc_auc, _variance_of(folder / REFERENCE, rows_test))


@lru_cache(4)
def _variance_of(reference: Path, rows_test: int) -> float:
    """Read once for all days of a run."""
    if LABEL not in pq.read_schema(reference).names:
        return 0.0
    rows = pq.read_table(reference, columns=[LABEL, PROBABILITY])
    label, probability = (rows[name].to_numpy().astype(float) for name in (LABEL, PROBABILITY))
    variance = Ranked.of(probability).roc_auc_variance(label, np.ones(len(label)))
    return float(np.nan_to_num(variance)) * len(label) / max(rows_test, len(label))


def is_enough(outcomes: int, expected_successes: float, settings: Settings) -> bool:
    """Whether so many outcomes, with so many successes foretold, can be judged."""
    rarer = min(expected_successes, outcomes - expected_successes)
    return outcomes >= settings.decay_min_outcomes and rarer >= settings.decay_min_rarer


def judge_decay(predictions: LabelledPredictions, bar: Bar, settings: Settings) -> list[MetricRow]:
    """Decayed: the whole interval of ROC-AUC lies below the bar, whose own error widens it.

    Or the mean probability lies outside the interval of the share of successes (Wilson's), and is far from it: base
    rates move while ROC-AUC stays.
    """
    from scipy.stats import binomtest

    label, probability, rows = predictions.pairs()
    ranked, count, won = Ranked.of(probability), rows.sum(), (label * rows).sum()
    weights = label.astype(float), rows
    roc_auc, variance = ranked.roc_auc(*weights), ranked.roc_auc_variance(*weights)
    judged = []
    if np.isnan(variance):
        judged.append(MetricRow(JUDGED[0], None, NOT_COMPUTABLE, threshold=bar.roc_auc))
    else:
        low, high = interval(roc_auc, variance + bar.variance, settings)
        status = DECAYED if high < bar.roc_auc else OK
        method = _interval(settings, low, high)
        judged.append(MetricRow(JUDGED[0], roc_auc, status, method=method, threshold=bar.roc_auc))
    share, foretold = float(won / count), float((probability * rows).sum() / count)
    low, high = binomtest(int(won), int(count)).proportion_ci(settings.decay_confidence, "wilson")
    far = min(settings.decay_rate_difference, settings.decay_rate_ratio * share)
    status = DECAYED if not low <= foretold <= high and abs(foretold - share) >= far else OK
    judged.append(
        MetricRow(JUDGED[1], share, status, method=_interval(settings, float(low), float(high)), threshold=foretold)
    )
    return judged


def interval(value: float, variance: float, settings: Settings) -> tuple[float, float]:
    """Where a figure may lie, of `decay_confidence`, as its sampling error is normal."""
    from scipy.stats import norm

    half = float(norm.ppf((1 + settings.decay_confidence) / 2)) * variance**0.5
    return value - half, value + half


def _interval(settings: Settings, low: float, high: float) -> str:
    return f"{settings.decay_confidence:.1%} interval {max(low, 0.0):.3f} to {min(high, 1.0):.3f}"
