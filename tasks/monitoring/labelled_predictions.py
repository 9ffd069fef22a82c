"""A day's predictions beside what became of the campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.identity import digests_of
from campaign.schema import ID
from tasks.learnt_ids import LearntIds
from tasks.monitoring.metric_rows import LEARNT, OK, UNJOINED, MetricRow
from tasks.outcome_ids import do_not_join
from tasks.outcomes import NO_DIGESTS, NO_OUTCOME, Digests, Outcomes

MAX_PAIRS = 1 << 20  # held before equal ones are put together
Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


class LabelledPredictions:
    """Probabilities beside outcomes. Equal pairs are counted together: memory is bounded by how many differ."""

    def __init__(self) -> None:
        self._pairs: list[Pair] = [(np.empty(0), np.empty(0))] * 2
        self._limit = MAX_PAIRS

    def add(self, probability: NDArray[np.float64], label: NDArray[np.int8]) -> None:
        """Rows whose label is NO_OUTCOME are left out."""
        self._extend([(probability[label == outcome], np.ones(int((label == outcome).sum()))) for outcome in (0, 1)])

    def merge(self, other: LabelledPredictions) -> None:
        """Take those of another day along."""
        self._extend(other._pairs)

    def pairs(self) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float64]]:
        """Outcomes, probabilities, and how many rows have both."""
        failures, successes = (_count_equal(*pair) for pair in self._pairs)
        label = np.repeat(np.array([0, 1], np.int8), [len(failures[0]), len(successes[0])])
        return label, np.concatenate([failures[0], successes[0]]), np.concatenate([failures[1], successes[1]])

    @property
    def rows(self) -> int:
        return int(sum(rows.sum() for _, rows in self._pairs))

    @property
    def expected_successes(self) -> float:
        """How many successes the probabilities foretell."""
        return float(sum((values * rows).sum() for values, rows in self._pairs))

    def _extend(self, pairs: list[Pair]) -> None:
        self._pairs = [
            (np.concatenate([values, more]), np.concatenate([rows, of_more]))
            for (values, rows), (more, of_more) in zip(self._pairs, pairs, strict=True)
        ]
        if sum(len(values) for values, _ in self._pairs) > self._limit:
            self._pairs = [_count_equal(*pair) for pair in self._pairs]
            self._limit = max(MAX_PAIRS, 2 * sum(len(values) for values, _ in self._pairs))


@dataclass(frozen=True)
class DayOutcomes:
    """`came`: for how many of the scored campaigns an outcome row has come, whatever its word.

    `learnt`: how many of them the version had learnt from; those are not among the labelled ones, which costs
    `learnt_outcomes` outcomes. `unjoined`: of the campaigns in the files of outcomes (`in_files`), how many are none of
    the day. `unread`: the files of outcomes that could not be read, with the cause; `empty`: those without a row.
    """

    labelled: LabelledPredictions
    scored: int
    came: int = 0
    learnt: int = 0
    learnt_outcomes: int = 0
    in_files: int = 0
    unjoined: int = 0
    unread: Mapping[str, str] = field(default_factory=dict)
    empty: Sequence[str] = ()
    unread_rows: int = 0

    @property
    def do_not_join(self) -> bool:
        return do_not_join(self.unjoined, self.in_files)

    @property
    def share(self) -> float:
        return self.came / self.scored if self.scored else 0.0

    @property
    def is_learnt(self) -> bool:
        """Whether nothing is left that the version had not learnt from."""
        return 0 < self.learnt == self.scored or (self.learnt_outcomes > 0 and not self.labelled.rows)

    def rows(self) -> list[MetricRow]:
        """As they are written to the metrics table."""
        return [
            MetricRow("outcomes", float(self.labelled.rows)),
            MetricRow("outcomes_share", self.share),
            MetricRow("learnt_rows", float(self.learnt), LEARNT if self.is_learnt else OK),
            # What cannot be read is of no campaign either, for whoever counts what there is to learn from.
            MetricRow("unjoined", float(self.unjoined + self.unread_rows), UNJOINED if self.do_not_join else OK),
        ]


def label_predictions(
    predictions: Iterable[pa.RecordBatch],
    outcomes: Outcomes | None,
    learnt: LearntIds | None = None,
    quarantined: Digests = NO_DIGESTS,
) -> DayOutcomes:
    """Every prediction (id and `probability`) that has an outcome, but of campaigns that the version learnt from.

    `quarantined` are the digests of the day's bad rows: their outcomes are of the day, too.
    """
    labelled, scored, came, known, lost = LabelledPredictions(), 0, 0, 0, 0
    for batch in predictions:
        ids, label = batch[ID], np.full(len(batch), NO_OUTCOME, np.int8)
        scored += len(batch)
        if len(quarantined):  # a repeated id is among the scored ones as well
            quarantined = quarantined[~np.isin(quarantined, digests_of(ids))]
        if outcomes is not None:
            label = outcomes.of(ids)
            came += int((label != NO_OUTCOME).sum())
            came += outcomes.count_undecided(pc.filter(ids, pa.array(label == NO_OUTCOME)))
        if learnt is not None:
            is_learnt = learnt.has(ids)
            known += int(is_learnt.sum())
            lost += int((label[is_learnt] != NO_OUTCOME).sum())
            label = np.where(is_learnt, NO_OUTCOME, label)
        labelled.add(batch["probability"].to_numpy(), label)
    if outcomes is None:
        return DayOutcomes(labelled, scored, came, known, lost)
    unjoined = outcomes.campaigns - came - int(outcomes.has_row(quarantined).sum())
    files = outcomes.unread, outcomes.empty, outcomes.unread_rows
    return DayOutcomes(labelled, scored, came, known, lost, outcomes.campaigns, unjoined, *files)


def _count_equal(
    values: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    distinct, at = np.unique(values, return_inverse=True)
    return distinct, np.bincount(at, rows, len(distinct)).astype(np.float64)  # for no values, bincount gives integers
