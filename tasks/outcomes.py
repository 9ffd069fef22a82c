"""What became of a day's campaigns, and how right its predictions were."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.identity import SeenIds, digests_of
from campaign.reading import read_campaigns
from campaign.settings import Settings
from tasks.drift import NOT_COMPUTABLE, OK, TOO_FEW_ROWS, Measure
from tasks.metrics import measure

DECAYED = "decayed"
CALIBRATION_BINS = 10
UNKNOWN = -1
LAST_BIT = np.uint64(1)
MOST_HELD = 1 << 20  # pairs, before equal ones are put together


@dataclass(frozen=True)
class Outcomes:
    """The outcome (0 or 1) of each campaign, as the last bit of its id's digest, ascending: 8 bytes a campaign."""

    packed: NDArray[np.uint64]

    @classmethod
    def read(cls, uris: tuple[str, ...]) -> "Outcomes":
        """Those of some outcome files; the first outcome of a campaign counts."""
        seen, pieces = SeenIds(), [np.empty(0, np.uint64)]
        for uri in uris:
            for batch in read_campaigns(uri, (), label=True):
                assert batch.label is not None
                known = ~np.isnan(batch.label) & np.asarray(batch.ids.is_valid())
                ids, label = batch.ids.filter(pa.array(known)), batch.label[known].astype(np.uint64)
                first = ~seen.repeats(ids)
                pieces.append((digests_of(ids) & ~LAST_BIT | label)[first])
        del seen
        packed = np.concatenate(pieces)
        pieces.clear()
        packed.sort()
        return cls(packed)

    def of(self, ids: pa.StringArray) -> NDArray[np.int8]:
        """The outcome of each campaign, UNKNOWN for those that have none yet."""
        if not len(self.packed):
            return np.full(len(ids), UNKNOWN, np.int8)
        wanted = digests_of(ids) & ~LAST_BIT
        found = self.packed[np.minimum(np.searchsorted(self.packed, wanted), len(self.packed) - 1)]
        return np.where(found & ~LAST_BIT == wanted, (found & LAST_BIT).astype(np.int8), np.int8(UNKNOWN))


class Judged:
    """Probabilities beside outcomes. Equal pairs are counted together: memory is bounded by how many differ."""

    def __init__(self) -> None:
        self._pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [(np.empty(0), np.empty(0))] * 2
        self._full = MOST_HELD

    def add(self, probability: NDArray[np.float64], label: NDArray[np.int8]) -> None:
        """Rows of UNKNOWN outcome are left out."""
        for outcome, (values, rows) in enumerate(self._pairs):
            more = probability[label == outcome]
            self._pairs[outcome] = np.concatenate([values, more]), np.concatenate([rows, np.ones(len(more))])
        if sum(len(values) for values, _ in self._pairs) > self._full:
            self._pairs = [_together(*pair) for pair in self._pairs]
            self._full = max(MOST_HELD, 2 * sum(len(values) for values, _ in self._pairs))

    def pairs(self) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float64]]:
        """Outcomes, probabilities, and how many rows have both."""
        failures, successes = (_together(*pair) for pair in self._pairs)
        label = np.repeat(np.array([0, 1], np.int8), [len(failures[0]), len(successes[0])])
        return label, np.concatenate([failures[0], successes[0]]), np.concatenate([failures[1], successes[1]])


def _together(
    values: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    distinct, at = np.unique(values, return_inverse=True)
    return distinct, np.bincount(at, rows, len(distinct)).astype(np.float64)  # of nothing it gives integers


def realised(judged: Judged, test: Mapping[str, float], settings: Settings) -> list[Measure]:
    """Metrics of probabilities against outcomes. Decayed: ROC-AUC too far below the model's on test rows.

    `test` holds the model's ROC-AUC and accuracy there; they go along, to be compared with.
    """
    label, probability, rows = judged.pairs()
    count = rows.sum()
    if not count:
        return [Measure("outcomes", 0.0)]
    metrics = measure(label, probability, rows) | {
        "calibration_error": calibration_error(label, probability, rows),
        "success_rate": float((label * rows).sum() / count),
    }
    measures = [Measure("outcomes", float(count))]
    for name, value in metrics.items():
        status = NOT_COMPUTABLE if np.isnan(value) else OK
        limit = None
        if name == "roc_auc":
            limit = test["roc_auc"] - settings.decay_margin
            if status == OK:
                few = count < settings.decay_min_outcomes
                status = TOO_FEW_ROWS if few else DECAYED if value < limit else OK
        measures.append(Measure(f"realised_{name}", None if np.isnan(value) else value, status, threshold=limit))
    return [*measures, *(Measure(f"test_{name}", float(test[name])) for name in ("roc_auc", "accuracy"))]


def calibration_error(label: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """Expected calibration error over ten equal bins: the mean distance of what was said from what happened."""
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    said = np.bincount(bins, weight * probability, CALIBRATION_BINS)
    happened = np.bincount(bins, weight * label, CALIBRATION_BINS)
    return float(np.abs(said - happened).sum() / weight.sum())
