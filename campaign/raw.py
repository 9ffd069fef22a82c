"""Rows as a file holds them, before a schema looks at them: which columns are asked for, and what came."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

TAB = "\t"


@dataclass(frozen=True)
class RawColumns:
    """`choose` says, of the names in a header, which columns are read, and as what: {their name: the file's}.

    `categories` are texts of which few differ. In text files `missing_words` stand for a missing value, or those of
    `own_missing_words`, by column.
    """

    choose: Callable[[list[str]], dict[str, str]]
    categories: Collection[str] = ()
    missing_words: Sequence[str] = ("",)
    own_missing_words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def missing_words_of(self, name: str) -> frozenset[str]:
        return frozenset(self.own_missing_words.get(name, self.missing_words))


@dataclass(frozen=True)
class Dialect:
    """How a text file is written, as it was found or said; JSON lines have no delimiter. `broken` counts characters."""

    encoding: str
    delimiter: str = ""
    broken: int = 0

    def __str__(self) -> str:
        form = f"delimiter {'tab' if self.delimiter == TAB else self.delimiter}" if self.delimiter else "JSON lines"
        many = "s" if self.broken > 1 else ""
        broken = f" ({self.broken:,} broken character{many})" if self.broken else ""
        return f"{self.encoding}{broken}, {form}"


@dataclass(frozen=True)
class RawBatch:
    """Consecutive rows. Those of a text that cannot be read are nulls: `unread` says why, `texts` what stands there.

    `dialect` is that of a text file.
    """

    rows: pa.RecordBatch
    unread: Mapping[int, str] = field(default_factory=dict)
    texts: Mapping[int, str] | None = None
    dialect: Dialect | None = None
