"""Times as people write them: ISO, day or month first, Unix seconds, with and without a zone."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.schema_parts import Text

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CLOCK = r"(?:[T ,]+(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
ZONE = r"\s*(?P<zone>Z|UTC|GMT|[-+]\d{2}:?\d{2})?"
# 22.11.2026 17:05, 11/22/26 5:05 PM
NUMERIC = re.compile(rf"(?P<first>\d{{1,2}})[./-](?P<second>\d{{1,2}})[./-](?P<year>\d{{4}}|\d{{2}}){CLOCK}{ZONE}")
# 2026/1/9, 2026.01.09 17:05
YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})[./-](?P<month>\d{{1,2}})[./-](?P<day>\d{{1,2}}){CLOCK}{ZONE}")
# 22 Nov 2026, 22-Nov-26
DAY_NAMED = re.compile(
    rf"(?P<day>\d{{1,2}})[ .-]+(?P<name>[A-Za-z]{{3,9}})[ .,-]+(?P<year>\d{{4}}|\d{{2}}){CLOCK}{ZONE}"
)
# November 22, 2026
MONTH_NAMED = re.compile(rf"(?P<name>[A-Za-z]{{3,9}})[ .]+(?P<day>\d{{1,2}})[ ,]+(?P<year>\d{{4}}){CLOCK}{ZONE}")
UNIX = re.compile(r"\d{9,10}(?:\.\d+)?|\d{13}|\d{16}")
MOST_SLIPS = 0.05  # of all times: more of another order are no slips


@dataclass
class TimeReader:
    """Reads one column of times in one file, batch by batch, and remembers what speaks against how it was read.

    Whether 03/02/2026 is in February or in March, the schema says. Times that say no zone are meant in the schema's.
    """

    name: str
    source: str
    text: Text
    readable: int = 0
    unreadable_example: str = ""
    contrary: int = 0  # dates that make sense in another order alone
    contrary_example: str = ""

    def read(self, values: pa.Array) -> pa.Array:
        """Timestamps in the schema's zone, null for what is no time. Raises `BadInput` for a type that holds none."""
        kind = values.type
        if pa.types.is_dictionary(kind):
            return self.read(values.cast(kind.value_type))
        times = self._read(values, kind)
        self.readable += len(times) - times.null_count
        if times.null_count > values.null_count and not self.unreadable_example:
            given = values.filter(pc.is_null(times)).drop_null().to_pylist()
            self.unreadable_example = next((str(value) for value in given if str(value).strip()), "")
        return times

    def refuse_doubtful(self) -> None:
        """After the last batch. Raises `BadInput` for a column without times, or in another order than said."""
        column, order = f"{self.source}: column {self.name}", self.text.date_order
        if self.contrary > MOST_SLIPS * (self.readable + self.contrary):
            others = orders_of(self.contrary_example)
            settings = " or ".join(f'dateOrder = "{other}"' for other in others)
            raise BadInput(
                f"{column} holds {self.contrary_example!r}, a date as {' or '.join(others)}, "
                f'where [text] dateOrder is "{order}".',
                f"Write dates as 2026-11-22, or set {settings} under [text] of the schema.",
            )
        if self.unreadable_example and not self.readable:
            raise BadInput(
                f"{column} holds {self.unreadable_example!r} and no time.",
                "Write it as 2026-11-22 or 2026-11-22 17:05:00.",
            )

    def _read(self, values: pa.Array, kind: pa.DataType) -> pa.Array:
        zone = self.text.timezone
        if pa.types.is_null(kind):
            return pa.nulls(len(values), pa.timestamp("us", zone))
        if pa.types.is_timestamp(kind) and kind.tz:
            return values.cast(pa.timestamp("us", zone), safe=False)
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return _in_zone(values.cast(pa.timestamp("us"), safe=False), zone)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            # Whole numbers as texts are: days such as 20261122, and Unix times of whatever unit.
            rounded = pc.round(values.cast(pa.float64(), safe=False)).cast(pa.int64(), safe=False)
            return self._read_texts(rounded.cast(pa.string()))
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            return self._read_texts(pc.utf8_trim_whitespace(values.cast(pa.string())))
        raise BadInput(
            f"{self.source}: column {self.name} has the type {kind}, not a time's.",
            "Write it as 2026-11-22 or 2026-11-22 17:05:00.",
        )

    def _read_texts(self, texts: pa.Array) -> pa.Array:
        for written in (texts, _as_iso(texts, self.text.date_order)):  # mostly all are in one form
            with suppress(pa.ArrowInvalid):
                return _in_zone(written.cast(pa.timestamp("us")), self.text.timezone)
            with suppress(pa.ArrowInvalid):  # and say their zone
                return written.cast(pa.timestamp("us", self.text.timezone))
        zone = ZoneInfo(self.text.timezone)
        encoded = texts.dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        moments = [read_time(text, self.text.date_order, zone) for text in distinct]
        # In how many other orders each is a date, which is unreadable in the one that the schema says.
        read = zip(distinct, moments, strict=True)
        others = np.array([0 if moment else len(orders_of(text)) for text, moment in read])
        if others.any():
            self.contrary += int(np.count_nonzero(others[encoded.indices.drop_null().to_numpy()]))
            # An example that can be read in one other order tells more than one that can in both.
            example = distinct[int(np.argmax(np.where(others == 1, 3, others)))]
            if len(orders_of(self.contrary_example)) != 1:
                self.contrary_example = example
        return pa.array(moments, pa.timestamp("us", self.text.timezone)).take(encoded.indices)


def read_time(text: str, order: str, zone: tzinfo = UTC) -> datetime | None:
    """The moment that a text says, in `zone` if it says none; None if it says no moment in this order."""
    with suppress(ValueError, OverflowError):
        if UNIX.fullmatch(text):
            # 10 digits are seconds from 2001 to 2286; 13 and 16 the same in thousandths and millionths.
            seconds = float(text) / {13: 1e3, 16: 1e6}.get(len(text), 1.0)
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        moment = _of_parts(text, order)
        if moment is None and (not text.isdigit() or len(text) == 8):
            moment = datetime.fromisoformat(text)
        if moment is not None:
            return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return None


def orders_of(text: str) -> list[str]:
    """The orders, beside ISO's, in which a text is a date."""
    return [order for order in ("DMY", "MDY") if read_time(text, order) is not None]


def _of_parts(text: str, order: str) -> datetime | None:
    """A date in digits or with a named month. ValueError for a day that no month has."""
    if match := YEAR_FIRST.fullmatch(text):
        month, day = int(match["month"]), int(match["day"])
    elif match := NUMERIC.fullmatch(text):
        if order == "YMD":
            return None
        first, second = int(match["first"]), int(match["second"])
        month, day = (first, second) if order == "MDY" else (second, first)
    elif match := (DAY_NAMED.fullmatch(text) or MONTH_NAMED.fullmatch(text)):
        month, day = MONTHS.index(match["name"][:3].lower()) + 1, int(match["day"])
    else:
        return None
    year = int(match["year"])
    if year < 100:
        year += 2000 if year < 69 else 1900  # as POSIX has it
    hours, _, rest = (match["clock"] or "0:00").partition(":")
    clock = datetime.fromisoformat(f"2000-01-01T{hours:0>2}:{rest}")
    hour = clock.hour
    if match["half"]:
        hour = hour % 12 + 12 * match["half"].lower().startswith("p")
    moment = clock.replace(year=year, month=month, day=day, hour=hour)
    if match["zone"]:
        sign = match["zone"].replace("UTC", "+0000").replace("GMT", "+0000").replace("Z", "+0000")
        moment = moment.replace(tzinfo=datetime.strptime(sign, "%z").tzinfo)
    return moment


def _as_iso(texts: pa.Array, order: str) -> pa.Array:
    two_digits = pc.replace_substring_regex(texts, r"\b(\d)\b", r"0\1")
    if order == "YMD":
        return two_digits
    iso = r"\3-\2-\1" if order == "DMY" else r"\3-\1-\2"
    return pc.replace_substring_regex(two_digits, r"^(\d\d)[./-](\d\d)[./-](\d{4})", iso)


def _in_zone(local: pa.Array, timezone: str) -> pa.Array:
    return pc.assume_timezone(local, timezone, ambiguous="earliest", nonexistent="earliest")


def seconds_of(times: pa.Array) -> NDArray[np.float64]:
    """Unix seconds of timestamps, NaN where one is missing."""
    return (
        np.asarray(times.cast(pa.timestamp("us", times.type.tz)).cast(pa.int64()).cast(pa.float64(), safe=False)) / 1e6
    )
