"""Which column of an unknown file says what became of its rows, and which of its words is a success."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.header import letters
from campaign.labels import folded_word
from tasks.training.proposal import Proposal

OUTCOME_NAME = re.compile(
    r"^(is[_\s-]?)?(state|status|outcome|result|success(ful)?|funded|convert(ed)?|conversion|response|responded|reached|"
    r"won|paid|y|target|label|subscribed|purchased|bought|churn(ed)?|final[_\s-]?status)$|successful$",
    re.IGNORECASE,
)
SUCCESSES = (
    "successful", "success", "succeeded", "yes", "true", "1", "won", "funded", "converted", "y", "t", "paid",
    "subscribed", "ja", "oui", "si", "sí", "sim",
)  # fmt: skip
FAILURES = (
    "failed", "failure", "fail", "unsuccessful", "no", "false", "0", "lost", "unfunded", "not converted", "n", "f",
    "nein", "nee", "non", "não",
)  # fmt: skip


def propose_outcome(proposal: Proposal, sample: pa.Table, wanted: str, success: Sequence[str]) -> NDArray[np.float64]:
    """Choose column and words; the labels of the sample, NaN where nothing is decided."""
    import pandas as pd

    name = _guess_outcome(sample)
    if wanted:
        name = next((known for known in sample.column_names if letters(known) == letters(wanted)), "")
    if not name:
        raise BadInput(
            f"{proposal.source}: no column looks like an outcome (found: {', '.join(sample.column_names)}).",
            "Say which it is: campaign init FILE --outcome COLUMN --success WORD.",
        )
    counts = _words_of(sample, name)
    words = {folded_word(word): word for word in counts}
    won = [words[folded_word(word)] for word in success if folded_word(word) in words]
    if len(won) < len(success):
        raise BadInput(
            f"{proposal.source}: column {name} does not hold {', '.join(success)} (but {', '.join([*counts][:8])}).",
            "Say with --success which of its words is a success.",
        )
    known = [words[word] for word in SUCCESSES if word in words][:1]
    unsure = not won and (not known or len(counts) > 2)
    won = won or known or [min(counts, key=lambda word: counts[word])]
    lost = [words[word] for word in FAILURES if word in words and words[word] not in won]
    if not lost and len(counts) == len(won) + 1:
        lost = [word for word in counts if word not in won]
    if not lost:
        lost = [max((word for word in counts if word not in won), key=lambda word: counts[word], default="")]
    others = [word for word in counts if word not in won and word not in lost]
    decided = sum(counts[word] for word in (*won, *lost) if word in counts)
    proposal.outcome = {"column": name, "success": won, "failure": lost}
    share = f"{decided / max(sum(counts.values()), 1):.0%} of rows are decided"
    proposal.notes["outcome.column"] = ("" if wanted else "? ") + f"{len(counts)} words; {share}"
    if unsure:
        proposal.notes["outcome.success"] = "?"
    proposal.notes["outcome.failure"] = f"? others wait: {', '.join(others[:6])}" if others else ("?" if unsure else "")
    texts = pd.Series(sample.column(name).cast(pa.string()).to_pylist())
    return np.where(texts.isin(won), 1.0, np.where(texts.isin(lost), 0.0, np.nan))


def _guess_outcome(sample: pa.Table) -> str:
    """The column whose name and words look most like an outcome."""
    best, most = "", 0.0
    for place, name in enumerate(sample.column_names):
        if not _may_be_words(sample.schema.field(name).type):
            continue
        counts = _words_of(sample, name)
        folded = {folded_word(word) for word in counts}
        if not 2 <= len(folded) <= 12:
            continue
        has_words = any(word in folded for word in SUCCESSES) and any(word in folded for word in FAILURES)
        named = bool(OUTCOME_NAME.search(name.strip()))
        # Yes and no are in many columns: the last one of a file is the outcome more often than others.
        score = 2 * named + has_words + 0.5 * (place == len(sample.column_names) - 1)
        if (named or (has_words and place == len(sample.column_names) - 1)) and score > most:
            best, most = name, score
    return best


def _may_be_words(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_temporal(kind))


def _words_of(sample: pa.Table, name: str) -> dict[str, int]:
    values = sample.column(name).cast(pa.string()).drop_null()
    counted = pc.value_counts(values.combine_chunks()).to_pylist()
    return {str(entry["values"]): entry["counts"] for entry in sorted(counted, key=lambda entry: -entry["counts"])}
