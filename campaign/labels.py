"""What became of campaigns: the words of an outcome as 1, 0, or not decided yet."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.errors import BadInput, NothingDecided
from campaign.identity import normal_form
from campaign.schema import LABEL
from campaign.schema_parts import NO, YES, AtLeast, Outcome

Floats = NDArray[np.float64]
# Beyond these shares of the values that are there, others than the schema's words are no slips but another coding.
MOST_SLIPS, MOST_NUMBERS = 0.05, 0.01
EXAMPLES = 3


def reached(amounts: Floats, goals: Floats) -> Floats:
    """The rule `at_least`: 1 where an amount reaches its goal, NaN where either is missing."""
    return np.where(np.isnan(amounts) | np.isnan(goals), np.nan, amounts >= goals)


@dataclass
class OutcomeReader:
    """Reads one column of words in one file, batch by batch, and remembers which of them say nothing.

    A column called LABEL is of this project's own files: its words are yes and no, 1 and 0.
    """

    name: str
    source: str
    outcome: Outcome
    rows: int = 0
    decided: Counter[float] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)

    def read(self, values: pa.Array) -> Floats:
        """1 for a success, 0 for a failure, NaN for what is not decided, or says neither."""
        success, failure = self._words
        if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
            cause = f"{self.source}: column {self.name} has the type {values.type}."
            raise BadInput(cause, f"Write {success[0]} for success and {failure[0]} for failure.")
        codes = dict.fromkeys(map(folded_word, failure), 0.0) | dict.fromkeys(map(folded_word, success), 1.0)
        texts = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        words = [folded_word(str(value)) for value in texts.dictionary.to_pylist()]
        at = pc.fill_null(texts.indices.cast(pa.int64()), len(words)).to_numpy(zero_copy_only=False)
        counts = np.bincount(at, minlength=len(words) + 1)
        for word, count in zip(words, counts.tolist(), strict=False):
            if count and word in codes:
                self.decided[codes[word]] += count
            elif count and word not in ("", "nan"):
                self.others[word] += count
        self.rows += len(values)
        return np.array([*(codes.get(word, np.nan) for word in words), np.nan])[at]

    def refuse_doubtful(self) -> None:
        """After the last batch. Raises `BadInput` if no outcome is decided, or a part of them is in another coding."""
        (success, *_), (failure, *_) = self._words
        column = f"{self.source}: column {self.name}"
        remedy = f"Write {success} for success and {failure} for failure."
        if self.rows and not self.decided:
            is_other_coding = self.others and (self._words == (YES, NO) or self._is_half_read())
            kind = BadInput if is_other_coding else NothingDecided
            raise kind(f"{column} holds neither {failure} nor {success}{self._examples()}.", remedy)
        if self._is_half_read():
            missing = {0.0: failure, 1.0: success}.keys() - self.decided.keys()
            never = f", and never {failure if 0.0 in missing else success}" if missing else ""
            there = success if 1.0 in self.decided else failure
            raise BadInput(
                f"{column} holds other words beside {there}{self._examples()}{never}: its outcomes would be half read.",
                f"{remedy} What else stands for them can be said under [outcome] in campaign.toml.",
            )

    @property
    def _words(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        own = self.name == LABEL and self.name != self.outcome.column
        if own or isinstance(self.outcome.success, AtLeast):
            return YES, NO
        return self.outcome.success, self.outcome.failure

    def _is_half_read(self) -> bool:
        """Whether what says nothing looks like another coding, such as 1 and 2, or 1 and 0 among words."""
        others, numbers = self.others.total(), sum(self.others[word] for word in self.others if _is_number(word))
        total = self.decided.total() + others
        if self._words == (YES, NO):  # every row has an outcome: nothing waits
            return len(self.decided) == 1 and (numbers > 0 or others > MOST_SLIPS * total)
        has_numbers = any(_is_number(word) for words in self._words for word in words)
        return not has_numbers and numbers > MOST_NUMBERS * total

    def _examples(self) -> str:
        words = [word for word, _ in self.others.most_common(EXAMPLES)]
        return f" ({', '.join(words)})" if words else ""


def _is_number(word: str) -> bool:
    return word.removeprefix("-").replace(".", "", 1).isdigit()


def folded_word(word: str) -> str:
    """As words of outcomes are compared: without regard to case and outer spaces, 1.0 as 1."""
    return normal_form(word.strip().casefold())
