"""Say in plain words what the features give away: when each is known, and how well it tells the label by itself."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from campaign import schema

if TYPE_CHECKING:
    import pandas as pd

TIMES: tuple[schema.Known, ...] = get_args(schema.Known)

# With fewer rows of either outcome, noise reaches ROC-AUC 0.95 in some of the fifty-odd comparisons.
FEWEST = 10

# Four standard errors of a ROC-AUC on 50,000 rows above one half: the best of twenty noise features stays below it.
CHANCE = 0.51


def audit(campaigns: pd.DataFrame, label: str = schema.LABEL, sample: int = 50_000, seed: int = 1) -> pd.DataFrame:
    """How well each feature, and each ratio and difference of two numbers, gives the label away, best first.

    Columns: `feature`, `known` (the later of the two for a pair) and `roc_auc` from 0.5 (nothing) to 1 (everything)
    whichever way the value points; missing where fewer than ten campaigns of either outcome have the value.
    """
    import pandas as pd

    columns = [column for column in schema.FEATURES if column.name in campaigns]
    rows = campaigns[[*(column.name for column in columns), label]].dropna(subset=[label])
    # Also in random order when nothing is left out: the halves of `category_auc` have to be alike.
    rows = rows.sample(min(sample, len(rows)), random_state=seed)
    outcome = rows[label].to_numpy(dtype=float) > 0.5

    found: list[tuple[str, schema.Known, float]] = []
    numbers: list[tuple[schema.Column, NDArray[np.float64]]] = []
    for column in columns:
        if column.is_category:
            found.append((column.name, column.known, category_auc(rows[column.name], outcome)))
            continue
        values = pd.to_numeric(rows[column.name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        numbers.append((column, values))
        found.append((column.name, column.known, rank_auc(values, outcome)))
    for (first, below), (second, above) in combinations(numbers, 2):
        known = max(first.known, second.known, key=TIMES.index)
        # Only the order counts: x / 0 stands above every other ratio, 0 / 0 is a missing value.
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append((f"{second.name} / {first.name}", known, rank_auc(above / below, outcome)))
            found.append((f"{second.name} − {first.name}", known, rank_auc(above - below, outcome)))
    table = pd.DataFrame(found, columns=["feature", "known", "roc_auc"])
    table["roc_auc"] = np.maximum(table["roc_auc"], 1 - table["roc_auc"])
    return table.sort_values("roc_auc", ascending=False, kind="stable", ignore_index=True)


def findings(audit: pd.DataFrame, threshold: float = 0.95) -> list[str]:
    """A sentence for each feature, and each pair of features, that gives the label away; none if nothing does.

    A pair is left out when one of the two says as much without the other.
    """
    scores = dict(zip(audit["feature"], audit["roc_auc"], strict=True))
    told: dict[tuple[str, ...], list[str]] = {}
    for feature, score in scores.items():
        members = members_of(feature)
        if score > threshold and (len(members) == 1 or score > max(scores.get(name, 0.5) for name in members) + 0.01):
            kind = "" if len(members) == 1 else " for their ratio" if " / " in feature else " for their difference"
            told.setdefault(members, []).append(f"{score:.3f}{kind}")
    sentences = []
    for members, said in told.items():
        who = " against ".join(f"`{name}`" for name in members)
        verb = "decides" if said[0].startswith("1") else "all but decides"
        late = [schema.BY_NAME[name] for name in members if schema.BY_NAME[name].known != TIMES[0]]
        when = " and ".join(f"`{column.name}` is known only {column.known}" for column in late) or "known at launch"
        sentences.append(f"{who} {verb} the label by itself (ROC-AUC {' and '.join(said)}); {when}.")
    return sentences


def summary(audit: pd.DataFrame, features: Iterable[schema.Column]) -> str:
    """Sentences for the model card: when these features are known, and what the best of them tells."""
    known = {column.name: column.known for column in features}
    late = {time: [f"`{name}`" for name in known if known[name] == time] for time in TIMES[1:]}
    later = [f"{len(names)} only {time} ({', '.join(names)})" for time, names in late.items() if names]
    launch = list(known.values()).count(TIMES[0])
    text = f"Of {len(known)} features, {launch} are known at launch, {' and '.join(later)}."
    sentences = [text if later else f"All {launch} features are known at launch."]
    told = audit.dropna(subset=["roc_auc"])
    scores: dict[str, float] = dict(zip(told["feature"], told["roc_auc"], strict=True))
    said = {name: f"`{name}`, has ROC-AUC {scores[name]:.3f}" for name in scores if {*members_of(name)} <= {*known}}
    early = [name for name in said if {known[member] for member in members_of(name)} == {TIMES[0]}]
    for names, what in ((early, "at launch"), ([name for name in said if name not in early], "only later")):
        alone = [name for name in names if name in known]
        if names and scores[names[0]] < CHANCE:
            none = f"No feature that is known {what}, alone or compared with another, tells more than chance"
            sentences.append(f"{none}: the best, {said[names[0]]}.")
        elif alone:
            pair = f"; the best comparison, {said[names[0]]}" if names[0] != alone[0] else ""
            sentences.append(f"The best feature that is known {what}, {said[alone[0]]}{pair}.")
    return " ".join(sentences if said else [*sentences, "There are too few campaigns to say what these tell."])


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
        won, seen = (np.bincount(codes[learn], each[learn], len(names)) for each in (outcome, np.ones(len(codes))))
        scores.append(rank_auc(((won + overall) / (seen + 1))[codes[~learn]], outcome[~learn]))
    # The rates already point upwards: less than one half is chance, not a category that points down.
    return float(np.maximum(np.mean(scores), 0.5))


def members_of(feature: str) -> tuple[str, ...]:
    """The columns that a row of the audit is made of: one, or the two of a ratio or difference."""
    return tuple(feature.replace(" − ", " / ").split(" / "))


def rank_auc(values: NDArray[np.float64], outcome: NDArray[np.bool_]) -> float:
    """ROC-AUC of a number taken as a score; NaN for too few values."""
    from scipy.stats import rankdata

    present = ~np.isnan(values)
    values, outcome = values[present], outcome[present]
    won, lost = int(outcome.sum()), int((~outcome).sum())
    if min(won, lost) < FEWEST:
        return float("nan")
    return float((rankdata(values)[outcome].sum() - won * (won + 1) / 2) / (won * lost))
