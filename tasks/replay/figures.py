"""How right a course's predictions were, period by period, by what became of the campaigns later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from campaign.identity import digests_of
from campaign.schema import ID
from campaign.store import Store
from tasks.estimates import estimate_mean, estimate_roc_auc
from tasks.manifest import read_manifest, read_predictions
from tasks.measures import Ranked, losses
from tasks.replay.history import Floats, History, Mask, days_of
from tasks.replay.periods import Period

MIN_OUTCOMES, MIN_RARER = 500, 10  # of periods that are looked at together
HALF = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Figure:
    """A value with the bounds of its 95 % interval, NaN where it cannot be computed."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, variance: float) -> Figure:
        half = HALF * variance**0.5
        return cls(value, value - half, value + half)

    def holds(self, value: float) -> bool:
        """Whether a value lies within the interval."""
        return self.low <= value <= self.high


NOTHING = Figure(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Predictions:
    """Of each campaign of the history, the probability that it was given when it was new, and by which version.

    NaN and 0 where it was not scored.
    """

    probability: Floats
    version: NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Consecutive periods that are looked at together, with the places of their campaigns in the history."""

    periods: Sequence[Period]
    rows: slice

    @property
    def days(self) -> list[date]:
        first, last = self.periods[0].first, self.periods[-1].end
        return [first + timedelta(days=number) for number in range((last - first).days)]

    def __str__(self) -> str:
        first, last = self.periods[0], self.periods[-1]
        return str(first) if first == last else f"{first} to {last}"


@dataclass(frozen=True)
class Quality:
    """Of a span's campaigns that were scored and decided. `calibration` is the mean probability less the success rate.

    `estimated_…` is what the probabilities of all that were scored foretold.
    """

    scored: int
    outcomes: int
    success_rate: float
    roc_auc: Figure
    log_loss: Figure
    calibration: Figure
    estimated_roc_auc: Figure
    estimated_log_loss: Figure


def gather_predictions(store: Store, history: History, periods: Sequence[Period]) -> Predictions:
    """Those of a course's store, of all days of these periods."""
    probability, version = np.full(len(history.rows), np.nan), np.zeros(len(history.rows), np.int64)
    days, digests = days_of(history.launched), digests_of(history.ids)
    wanted = np.unique(days[rows_of(history, periods)])
    for day in wanted:
        manifest = read_manifest(store, str(day))
        first, last = np.searchsorted(days, [day, day + 1])
        if manifest is None:
            continue
        order = first + np.argsort(digests[first:last], kind="stable")
        for batch in read_predictions(manifest):
            ids = digests_of(batch[ID])
            places = order[np.minimum(np.searchsorted(digests[order], ids), len(order) - 1)]
            found = digests[places] == ids
            probability[places[found]] = batch["probability"].to_numpy()[found]
            version[places[found]] = int(manifest.model_version)
    return Predictions(probability, version)


def rows_of(history: History, periods: Sequence[Period]) -> slice:
    """The campaigns that consecutive periods launched."""
    bounds = [periods[0].first, periods[-1].end]
    first, last = np.searchsorted(days_of(history.launched), np.array(bounds, "datetime64[D]"))
    return slice(int(first), int(last))


def spans_of(history: History, periods: Sequence[Period], judged: Mask) -> list[Span]:
    """Periods put together until there are 500 outcomes, 10 of them of the rarer kind; what is left joins the last."""
    groups: list[list[Period]] = [[]]
    for period in periods:
        groups[-1].append(period)
        if _is_enough(history, groups[-1], judged):
            groups.append([])
    rest = groups.pop()
    if rest and groups:
        groups[-1] += rest
    elif rest:
        groups.append(rest)
    return [Span(tuple(group), rows_of(history, group)) for group in groups]


def judged_rows(history: History, predictions: Sequence[Predictions]) -> Mask:
    """Campaigns that every course scored, and that were decided."""
    judged = ~np.isnan(history.label)
    for each in predictions:
        judged &= ~np.isnan(each.probability)
    return judged


def quality_of(history: History, predictions: Predictions, span: Span, judged: Mask) -> Quality:
    of_span = predictions.probability[span.rows]
    scored = of_span[~np.isnan(of_span)]
    estimated = _estimates(scored) if len(scored) else (NOTHING, NOTHING)
    label, probability = history.label[span.rows][judged[span.rows]], of_span[judged[span.rows]]
    if not len(label):
        return Quality(len(scored), 0, float("nan"), NOTHING, NOTHING, NOTHING, *estimated)
    ranked, ones = Ranked.of(probability), np.ones(len(label))
    roc_auc = Figure.of(ranked.roc_auc(label, ones), ranked.roc_auc_variance(label, ones))
    realised = roc_auc, mean_of(losses(label, probability)), mean_of(probability - label)
    return Quality(len(scored), len(label), float(label.mean()), *realised, *estimated)


def _estimates(probability: Floats) -> tuple[Figure, Figure]:
    ranking, (won, lost) = estimate_roc_auc(probability), (np.ones(len(probability)), np.zeros(len(probability)))
    loss = estimate_mean(probability, losses(won, probability), losses(lost, probability))
    return Figure.of(ranking.value, ranking.variance), Figure.of(loss.value, loss.variance)


def mean_of(values: Floats) -> Figure:
    """The mean, as sure as so many independent values make it."""
    return Figure.of(float(values.mean()), float(values.var() / max(len(values) - 1, 1)))


def _is_enough(history: History, periods: Sequence[Period], judged: Mask) -> bool:
    rows = rows_of(history, periods)
    label = history.label[rows][judged[rows]]
    return len(label) >= MIN_OUTCOMES and min(label.sum(), len(label) - label.sum()) >= MIN_RARER
