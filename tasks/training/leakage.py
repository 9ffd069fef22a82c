"""Say in plain words what the features give away: when each is known, and how well it tells the label by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from campaign.schema import LABEL, Column, Known

if TYPE_CHECKING:
    import pandas as pd

TIMES: tuple[Known, ...] = get_args(Known)
LAUNCH, *LATER = TIMES
DECISIVE, WORTH_A_LOOK = 0.95, 0.75

LATER_NAME = re.compile(
    r"pledge|raised|backer|donat|collected|funded|usd_pledged|spotlight|click|opens?$|respon|updates?$|comments?$|"
    r"complet|final|refund|paid|revenue",
    re.IGNORECASE,
)

# With fewer rows of either outcome, noise reaches ROC-AUC 0.95 in some of the fifty-odd comparisons.
MIN_OUTCOMES = 10

# Four standard errors of a ROC-AUC on 50,000 rows above one half: the best of twenty noise features stays below it.
CHANCE = 0.51


@dataclass(frozen=True)
class Signal:
    """How well one column, or the ratio or difference of two, tells the outcome by itself.

    `roc_auc` is from 0.5 (nothing) to 1 (everything), whichever way the value points; NaN where there are too few
    outcomes.
    """

    columns: tuple[Column, ...]
    comparison: Literal["", "ratio", "difference"]
    roc_auc: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def label(self) -> str:
        return {"": "", "ratio": " / ", "difference": " − "}[self.comparison].join(self.names)

    @property
    def known(self) -> Known:
        """When the last of its columns is known."""
        return max((column.known for column in self.columns), key=TIMES.index)

    @property
    def is_single(self) -> bool:
        return len(self.columns) == 1

    @property
    def has_value(self) -> bool:
        return not np.isnan(self.roc_auc)


def audit(
    campaigns: pd.DataFrame, features: Iterable[Column], label: str = LABEL, sample: int = 50_000, seed: int = 1
) -> list[Signal]:
    """How well each feature, and each ratio and difference of two numbers, gives the label away, best first."""
    import pandas as pd

    columns = [column for column in features if column.name in campaigns]
    rows = campaigns[[*(column.name for column in columns), label]].dropna(subset=[label])
    # Also in random order when nothing is left out: the halves of `category_auc` have to be alike.
    rows = rows.sample(min(sample, len(rows)), random_state=seed)
    outcome = rows[label].to_numpy(dtype=float) > 0.5

    signals: list[Signal] = []
    numbers: list[tuple[Column, NDArray[np.float64]]] = []
    for column in columns:
        if column.is_category:
            signals.append(_signal((column,), "", category_auc(rows[column.name], outcome)))
            continue
        values = pd.to_numeric(rows[column.name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        numbers.append((column, values))
        signals.append(_signal((column,), "", rank_auc(values, outcome)))
    for (first, below), (second, above) in combinations(numbers, 2):
        # Only the order counts: x / 0 stands above every other ratio, 0 / 0 is a missing value.
        with np.errstate(divide="ignore", invalid="ignore"):
            signals.append(_signal((second, first), "ratio", rank_auc(above / below, outcome)))
            signals.append(_signal((second, first), "difference", rank_auc(above - below, outcome)))
    return sorted(signals, key=lambda signal: -signal.roc_auc if signal.has_value else 1.0)


def audit_table(signals: list[Signal]) -> pd.DataFrame:
    """The audit for people: `feature`, `known` and `roc_auc`, a row per signal."""
    import pandas as pd

    rows = [(signal.label, signal.known, signal.roc_auc) for signal in signals]
    return pd.DataFrame(rows, columns=["feature", "known", "roc_auc"])


def find_leaks(signals: list[Signal], threshold: float = DECISIVE) -> list[list[Signal]]:
    """The signals of each feature, and of each pair of features, that gives the label away, the best first.

    A pair is left out when one of the two says as much without the other.
    """
    alone = {signal.names[0]: signal.roc_auc for signal in signals if signal.is_single}
    leaks: dict[tuple[str, ...], list[Signal]] = {}
    for signal in signals:
        adds_something = signal.is_single or signal.roc_auc > max(alone[name] for name in signal.names) + 0.01
        if signal.roc_auc > threshold and adds_something:
            leaks.setdefault(signal.names, []).append(signal)
    return list(leaks.values())


def find_suspects(signals: list[Signal]) -> list[Signal]:
    """Signals worth a look, the best of each column and pair: they tell much, and do not decide.

    A pair is one where neither of the two alone is worth a look.
    """
    alone = {signal.names[0]: signal.roc_auc for signal in signals if signal.is_single}
    suspects: dict[tuple[str, ...], Signal] = {}
    for signal in signals:
        stands_out = signal.is_single or max(alone[name] for name in signal.names) < WORTH_A_LOOK
        if signal.roc_auc >= WORTH_A_LOOK and stands_out:
            suspects.setdefault(signal.names, signal)
    return [signal for signal in suspects.values() if signal.roc_auc <= DECISIVE]


def category_auc(values: pd.Series, outcome: NDArray[np.bool_]) -> float:
    """ROC-AUC of a category scored by its success rate, learned on one half of the rows and judged on the other.

    Rates judged on the rows they were learned from would make many small categories look like knowledge.
    """
    import pandas as pd

    codes, names = pd.factorize(values, use_na_sentinel=False)
    overall = outcome.sum() / max(len(outcome), 1)
    halves = np.arange(len(codes)) < len(codes) // 2
    scores = []
    for learn in (halves, ~halves):
        won, seen = (np.bincount(codes[learn], weight[learn], len(names)) for weight in (outcome, np.ones(len(codes))))
        scores.append(rank_auc(((won + overall) / (seen + 1))[codes[~learn]], outcome[~learn]))
    # The rates already point upwards: less than one half is chance, not a category that points down.
    return float(np.maximum(np.mean(scores), 0.5))


def rank_auc(values: NDArray[np.float64], outcome: NDArray[np.bool_]) -> float:
    """ROC-AUC of a number taken as a score; NaN for too few values."""
    from scipy.stats import rankdata

    present = ~np.isnan(values)
    values, outcome = values[present], outcome[present]
    won, lost = int(outcome.sum()), int((~outcome).sum())
    if min(won, lost) < MIN_OUTCOMES:
        return float("nan")
    return float((rankdata(values)[outcome].sum() - won * (won + 1) / 2) / (won * lost))


def _signal(columns: tuple[Column, ...], comparison: Literal["", "ratio", "difference"], roc_auc: float) -> Signal:
    return Signal(columns, comparison, float(np.maximum(roc_auc, 1 - roc_auc)))
