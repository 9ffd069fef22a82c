"""Who a campaign is: its id, its part in every split, and whether it has been seen before.

Everything here goes by an id's normal form: outer spaces go, and a whole number is the same as integer, float, decimal
or text (7, 7.0, 7.00). Case and leading zeros stay.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.kernels import compiled

TEST, VALIDATION = 0, 1
SPACES = " \t\r\n"
MADE_ID = "row-"  # how an id begins that was made of a row's values
NO_ID = "-"  # what people write where there is none, beside what stands for any missing value
WHOLE_NUMBER = re.compile(r"^(-?[0-9]+)\.0*$")


def normal_form(campaign_id: str) -> str:
    """The id by which rows are joined, told apart and split."""
    trimmed = campaign_id.strip(SPACES)
    return WHOLE_NUMBER.sub(r"\1", trimmed)


def bucket_of(campaign_id: str) -> int:
    """0 (test), 1 (validation) or 2…4 (train), by the id alone, so that a campaign keeps its part in every run."""
    return int.from_bytes(hashlib.sha256(normal_form(campaign_id).encode()).digest(), "big") % 5


def id_of_values(values: Iterable[Any]) -> str:
    """An id for a row that has none: a digest of its values."""
    return MADE_ID + hashlib.sha256("|".join(map(str, values)).encode()).hexdigest()[:16]


def is_no_id(ids: pa.StringArray, missing_words: Collection[str]) -> NDArray[np.bool_]:
    """Where no id stands: null, nothing but spaces, a dash, or a word for a missing value."""
    words = {"", NO_ID, *missing_words}
    absent = ~np.asarray(ids.is_valid()) if ids.null_count else np.zeros(len(ids), bool)
    # Ids that are as short as such a word, or begin with a space, are few: the others need no look.
    suspects = np.zeros(len(ids), np.bool_)
    if compiled(_suspect)(*_bytes_of(ids), max(map(len, words)), suspects):
        places = np.flatnonzero(suspects & ~absent)
        trimmed = pc.utf8_trim(ids.take(pa.array(places)), SPACES)
        absent[places] = np.asarray(pc.is_in(trimmed, pa.array(sorted(words), pa.string())))
    return absent


class SeenIds:
    """Tells new ids from repeats by a 64-bit digest: that two of 10^7 ids share one has odds of 3 in a million."""

    def __init__(self, expected: int = 0) -> None:
        """`expected` ids find room at once, which spares growing."""
        self._table: NDArray[np.uint64] = np.zeros(max(1 << 12, expected * 3 // 2), np.uint64)
        self._count = 0

    @property
    def size(self) -> int:
        """Bytes that the ids take."""
        return self._table.nbytes

    def repeats(self, ids: pa.StringArray) -> NDArray[np.bool_]:
        """For each id whether it came before, in this batch or an earlier one."""
        return self.repeats_of(digests_of(ids))

    def repeats_of(self, digests: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """The same for ids of which only the digests are kept."""
        # Filled to three quarters at most and grown by half: 8 bytes an id, and a third to all of that free.
        while (self._count + len(digests)) * 4 > len(self._table) * 3:
            grown: NDArray[np.uint64] = np.zeros(len(self._table) * 3 // 2, np.uint64)
            compiled(_insert)(grown, self._table, np.zeros(1, np.bool_))
            self._table = grown
        repeated = np.zeros(len(digests), np.bool_)
        compiled(_insert)(self._table, digests, repeated)
        self._count += len(digests) - int(repeated.sum())
        return repeated


def digests_of(ids: pa.StringArray) -> NDArray[np.uint64]:
    """A 64-bit digest of each id's normal form, never 0."""
    text, bounds = _bytes_of(ids)
    digests = np.empty(len(ids), np.uint64)
    compiled(_digest)(text, bounds, digests)
    return digests


def longest_bytes(ids: pa.StringArray) -> int:
    """The bytes of the longest id, of which a character has one or more."""
    _, bounds = _bytes_of(ids)
    return int(np.diff(bounds).max(initial=0))


def _bytes_of(ids: pa.StringArray) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """UTF-8, and where in it each id begins and the last one ends."""
    _, offsets, text = ids.buffers()
    return np.frombuffer(text or b"", np.uint8), np.frombuffer(offsets, np.int32, len(ids) + 1, ids.offset * 4)


def _digest(text: NDArray[np.uint8], bounds: NDArray[np.int32], digests: NDArray[np.uint64]) -> None:
    def is_space(byte: int) -> bool:
        return byte == 32 or byte == 9 or byte == 13 or byte == 10

    # FNV-1a over bytes, then the finaliser of MurmurHash3, without which the high bits of short ids hardly differ.
    for row in range(len(digests)):
        digest = np.uint64(0xCBF29CE484222325)
        start, end = bounds[row], bounds[row + 1]
        while start < end and is_space(text[start]):
            start += 1
        while start < end and is_space(text[end - 1]):
            end -= 1
        # 7.00 is 7: behind zeros a point, and before it digits alone.
        point = end - 1
        while point > start and text[point] == 48:
            point -= 1
        if point > start and text[point] == 46:
            digits = point - 1
            while digits >= start and 48 <= text[digits] <= 57:
                digits -= 1
            if digits < point - 1 and (digits < start or (digits == start and text[start] == 45)):
                end = point
        for at in range(start, end):
            digest = (digest ^ np.uint64(text[at])) * np.uint64(0x100000001B3)
        digest = (digest ^ (digest >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        digest = (digest ^ (digest >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        digest ^= digest >> np.uint64(33)
        digests[row] = max(digest, np.uint64(1))


def _suspect(text: NDArray[np.uint8], bounds: NDArray[np.int32], most: int, suspects: NDArray[np.bool_]) -> bool:
    """Mark ids of at most so many bytes, and those that begin with a space; whether there are any."""
    found = False
    for row in range(len(suspects)):
        start = bounds[row]
        if bounds[row + 1] - start <= most or text[start] <= 32:
            suspects[row] = found = True
    return found


def _insert(table: NDArray[np.uint64], digests: NDArray[np.uint64], repeated: NDArray[np.bool_]) -> None:
    """Put digests into an open-addressed table whose free places hold 0."""
    size = np.uint64(len(table))
    for row in range(len(digests)):
        digest = digests[row]
        if digest == 0:  # a free place of the table that has grown too small
            continue
        at = ((digest >> np.uint64(32)) * size) >> np.uint64(32)  # its high bits as a share of the table: no division
        while table[at] != 0 and table[at] != digest:
            at += np.uint64(1)
            if at == size:
                at = np.uint64(0)
        if table[at] == digest:
            repeated[row] = True
        table[at] = digest
