"""The columns of a schema that is proposed: those of a file, and those that are derived from its dates and texts.

What tells too much of the outcome, or is called what is known later, is set aside as known at the end.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.derivation import Derivation
from campaign.schema import Known
from tasks.training.column_profile import ColumnProfile
from tasks.training.leakage import DECISIVE, LATER_NAME, LAUNCH, WORTH_A_LOOK, category_auc, rank_auc
from tasks.training.proposal import Proposal, ProposedColumn

END: Known = "at the end"
LOW_SENTINELS, HIGH_SENTINELS = (-1, -9, -99, -999, -9999), (99, 999, 9999, 99999)
TITLE_NAME = re.compile(r"name|title|subject|blurb|headline|description", re.IGNORECASE)
ID_NAME = re.compile(r"(^|[_\s-])(id|key|uuid|guid|number|no|nr)$|^id([_\s-]|$)|[a-z]I[dD]$", re.IGNORECASE)


def propose_column(proposal: Proposal, profile: ColumnProfile, label: NDArray[np.float64]) -> None:
    reasons = {
        "empty": "it holds nothing", "constant": "it always holds the same", "unreadable": "it holds no plain values",
        "time": "a time: columns are derived from it", "text": "a text: columns are derived from it",
    }  # fmt: skip
    if profile.kind in reasons:
        proposal.left_out[profile.name] = reasons[profile.kind]
        return
    if profile.is_unique and ID_NAME.search(profile.name.strip()):
        proposal.left_out[profile.name] = "every value differs, as of an id"
        return
    alone = _tells(profile, label)
    keys: dict[str, Any] = {"name": profile.name.strip(), "type": profile.kind}
    if profile.name != keys["name"]:
        keys["source"] = profile.name
    notes = [f"{profile.distinct:,} values"] if profile.kind == "category" else []
    if odd := _odd_codes(profile):
        notes.append(f"? not like the others: {', '.join(odd[:3])}")
    late = bool(LATER_NAME.search(profile.name))
    if alone >= WORTH_A_LOOK:
        much = "alone decides the outcome" if alone >= DECISIVE else "alone tells much of the outcome"
        notes.append(f"? {much} ({alone:.2f})")
    if late:
        notes.append("? by its name it is known later")
    keys["known"] = END if late or alone >= WORTH_A_LOOK else LAUNCH
    if profile.missing:
        keys["nullable"] = True
        notes.append(f"{profile.missing / max(proposal.rows, 1):.0%} missing")
    if profile.missing_words:
        keys["missingValues"] = [*profile.missing_words]
    if profile.kind == "number" and (word := _sentinel(profile.numbers)):
        keys |= {"nullable": True, "missingValues": ["", word]}
        notes.append(f"? {word} stands for a missing value")
    elif profile.kind == "number" and not (profile.numbers < 0).any():
        keys["minimum"] = 0
    notes.sort(key=lambda note: not note.startswith("?"))
    proposal.columns.append(ProposedColumn(keys, alone, ", ".join(notes)))


def _odd_codes(profile: ColumnProfile) -> list[str]:
    """In a column of codes in capitals, the values that are none."""
    if profile.kind != "category":
        return []
    values = pc.unique(profile.values.drop_null()).to_pylist()
    odd = [value for value in values if not re.fullmatch("[A-Z]{2,3}", value)]
    return odd if len(values) > 4 and 0 < len(odd) <= 0.2 * len(values) else []


def _sentinel(numbers: NDArray[np.float64]) -> str:
    """The number that stands for a missing one: at either end, alone below zero or far more frequent than any other."""
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    if len(values) < 3:
        return ""
    is_frequent = counts >= max(0.05 * len(numbers), 3 * np.sort(counts)[-2])
    if values[0] in LOW_SENTINELS and (is_frequent[0] or (values[1] >= 0 and counts[0] >= 0.01 * len(numbers))):
        return f"{values[0]:g}"
    if values[-1] in HIGH_SENTINELS and is_frequent[-1] and values[-2] < values[-1] / 2:
        return f"{values[-1]:g}"
    return ""


def _tells(profile: ColumnProfile, label: NDArray[np.float64]) -> float:
    """ROC-AUC, from one half, of a column taken for a score; on shuffled rows, as halves have to be alike."""
    import pandas as pd

    decided = np.flatnonzero(~np.isnan(label))
    rows = np.random.default_rng(1).permutation(decided)
    outcome = label[rows] > 0.5
    if profile.kind == "category":
        return category_auc(pd.Series(profile.values.to_pylist(), dtype=object).iloc[rows], outcome)
    roc_auc = rank_auc(profile.numbers[rows], outcome)
    return float(np.maximum(roc_auc, 1 - roc_auc))


def propose_derived(proposal: Proposal, profiles: dict[str, ColumnProfile], label: NDArray[np.float64]) -> None:
    """Columns of dates and of the first texts: duration, month, weekday, hour, length, words."""
    names = {column.name.casefold() for column in proposal.columns}
    for name, derive in _derivations(proposal, profiles):
        if name.casefold() in names:
            continue
        derivation = Derivation.model_validate(derive)
        values = derivation.compute(lambda source, kind: profiles[source].values, None)
        if derivation.function == "hour" and not np.nan_to_num(values).any():
            continue  # days without a time
        profile = ColumnProfile(name, "number", pa.array(values, from_pandas=True), 0, 0)
        keys: dict[str, Any] = {"name": name, "type": "number", "known": LAUNCH, "derive": derive}
        if derivation.function == "days_between":
            keys["minimum"] = 0
        elif np.isnan(values).any():
            keys["nullable"] = True
        proposal.columns.append(ProposedColumn(keys, _tells(profile, label)))


def _derivations(proposal: Proposal, profiles: dict[str, ColumnProfile]) -> Iterator[tuple[str, dict[str, Any]]]:
    launch, end = (proposal.row.get(key, "") for key in ("launch", "end"))
    if launch and end:
        yield "DurationDays", {"days_between": [launch, end]}
    if launch:
        for function in ("month", "weekday", "hour"):
            yield f"Launch{function.capitalize()}", {function: launch}
    texts = [
        profile for profile in profiles.values()
        if profile.kind == "text" and not LATER_NAME.search(profile.name) and profile.is_prose
    ]  # fmt: skip
    texts.sort(key=lambda profile: not TITLE_NAME.search(profile.name))
    for profile in texts[:2]:
        title = "".join(word.capitalize() for word in re.split(r"\W+|_", profile.name) if word)
        yield f"{title}Length", {"length": profile.name}
        yield f"{title}Words", {"words": profile.name}
