"""Numbers as people write them: decimal comma, thousands marks, currencies, percent, 26k."""

import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from campaign.errors import BadInput
from campaign.schema_parts import Text

Floats = NDArray[np.float64]
OTHER_MARK = {".": ",", ",": "."}
MARK_NAMES = {".": "point", ",": "comma"}
SPACES = " \u00a0\u2009\u202f'\u2019"  # thousands marks in some countries, and decimal ones in none
SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9}
CURRENCY = r"(?:[A-Z]{0,3}[$€£¥₹₽₩₪₺₫฿₴₦]|[A-Z]{3}|kr\.?|zł|Kč|Ft|Rs\.?|Fr\.?)"
WRITTEN = re.compile(
    rf"""(?P<open>\()? \s* (?P<sign>[-+\u2212]?) \s* {CURRENCY}? \s* (?P<inner_sign>[-+\u2212]?) \s*
    (?P<digits>[.,]?\d[\d.,{SPACES}]*?) (?P<exponent>[eE][-+]?\d+)? \s*
    (?P<scale>(?:[kKmMbB]|[mM]n|[mM]io|[bB]n)?) \s* (?:%|{CURRENCY})? (?P<sign_behind>-?) \s* (?P<close>\))?""",
    re.VERBOSE,
)
ENDS = r"(?:^|[^\d.,])", r"(?:$|[^\d.,])"
# Nothing in 1.234 says whether it has thousands or decimals. 0.123, 12.5 and 1234.567 have decimals.
AMBIGUOUS = rf"{ENDS[0]}[1-9]\d{{0,2}}\.\d{{3}}{ENDS[1]}"
DECIMAL_POINT = rf"{ENDS[0]}(?:0?\.\d+|\d{{1,3}}\.(?:\d{{1,2}}|\d{{4,}})|\d{{4,}}\.\d+|[\d,]+,\d{{3}}\.\d+){ENDS[1]}"
LEAST_AMBIGUOUS = 20  # values, before a column that holds no clearer ones is refused
# Numbers of the other writing are slips, and cost their rows alone, up to these shares of those with decimals, of all.
MOST_SLIPS, MOST_SLIPS_OF_ALL = 0.05, 0.005


@dataclass
class NumberReader:
    """Reads one column of texts in one file, batch by batch, and remembers what speaks against how it was read.

    The schema says which mark is the decimal one, and no row does: a point, where it says nothing. Signs of currencies
    and of percent are units and left out: 12 % is 12, as for Frictionless.
    """

    name: str
    source: str
    text: Text
    readable: int = 0
    with_decimals: int = 0
    unreadable_example: str = ""
    contrary: int = 0  # numbers that make sense with the other decimal mark alone
    contrary_example: str = ""
    ambiguous: int = 0
    ambiguous_example: str = ""
    is_certain: bool = False  # a decimal point stands where no thousands mark can

    def read(self, texts: pa.Array) -> Floats:
        """NaN where no number stands."""
        texts = texts.cast(pa.string())
        if not (self.text.says_decimal or self.is_certain):
            self._look_for_points(texts)
        values = self._read(texts)
        known = values[~np.isnan(values)]
        self.readable += len(known)
        with np.errstate(invalid="ignore"):
            self.with_decimals += int(np.count_nonzero(known % 1))
        if len(known) < len(values) and not self.unreadable_example:
            given = texts.filter(pa.array(np.isnan(values))).drop_null()
            self.unreadable_example = next((text for text in given.to_pylist() if text.strip()), "")
        return values

    def refuse_doubtful(self) -> None:
        """After the last batch. Raises `BadInput` for a column of words, or one that can be read in two ways."""
        column, other = f"{self.source}: column {self.name}", OTHER_MARK[self.text.decimal]
        slips = max(1, MOST_SLIPS * (self.with_decimals + self.contrary), MOST_SLIPS_OF_ALL * self.readable)
        if self.contrary > slips or (self.contrary and not self.readable):
            meant, _ = read_written(self.contrary_example, other)
            beside = f", beside {self._both_readings()}" if self.ambiguous else ""
            raise BadInput(
                f"{column} holds {self.contrary_example!r}, which is {meant:.12g} with a decimal {MARK_NAMES[other]}, "
                f'where [text] decimalChar is "{self.text.decimal}"{beside}.',
                f"Write all of them with a decimal {MARK_NAMES[self.text.decimal]}, or, if all are written so, set "
                f'decimalChar = "{other}" under [text] of the schema.',
            )
        if not self.is_certain and self.ambiguous >= LEAST_AMBIGUOUS:
            raise BadInput(
                f"{column} holds {self._both_readings()}, and nothing says which.",
                'Write thousands without a mark, or set decimalChar = "." or "," under [text] of the schema.',
            )
        if self.unreadable_example and not self.readable:
            raise BadInput(
                f"{column} holds text such as {self.unreadable_example!r}, not numbers.",
                "Write it as numbers, or rename the columns if two were exchanged.",
            )

    def _both_readings(self) -> str:
        point, comma = (read_written(self.ambiguous_example, mark)[0] for mark in ".,")
        return (
            f"{self.ambiguous_example!r}, which is {point:.12g} with a decimal point and {comma:.12g} with "
            "a decimal comma"
        )

    def _look_for_points(self, texts: pa.Array) -> None:
        if not pc.any(pc.match_substring(texts, ".")).as_py():
            return
        self.is_certain = bool(pc.any(pc.match_substring_regex(texts, DECIMAL_POINT)).as_py())
        ambiguous = texts.filter(pc.match_substring_regex(texts, AMBIGUOUS))
        if len(ambiguous) and not self.ambiguous:
            self.ambiguous_example = ambiguous[0].as_py().strip()
        self.ambiguous += len(ambiguous)

    def _read(self, texts: pa.Array) -> Floats:
        if self.text.decimal == ".":
            with suppress(pa.ArrowInvalid):  # mostly there is nothing but digits and a point
                return _floats(texts.cast(pa.float64()))
        texts = pc.utf8_trim_whitespace(texts)
        usual = pc.match_substring_regex(texts, _usual_form(self.text.decimal))
        without_marks = pc.replace_substring_regex(texts, f"[+{SPACES}{OTHER_MARK[self.text.decimal]}]", "")
        plain = pc.if_else(usual, without_marks, None)
        values = _floats(pc.replace_substring(plain, self.text.decimal, ".").cast(pa.float64()))
        odd = np.asarray(pc.fill_null(pc.invert(usual), False))
        if odd.any():
            encoded = texts.filter(pa.array(odd)).dictionary_encode()
            read = [read_written(text, self.text.decimal) for text in encoded.dictionary.to_pylist()]
            at = encoded.indices.to_numpy(zero_copy_only=False)
            values[odd] = np.array([value for value, _ in read])[at]
            contrary = np.array([is_contrary for _, is_contrary in read])[at]
            if contrary.any() and not self.contrary:
                self.contrary_example = encoded[int(np.argmax(contrary))].as_py()
            self.contrary += int(contrary.sum())
        return values


def read_written(text: str, decimal: str) -> tuple[float, bool]:
    """A number, or NaN; and whether it could only be read with the other decimal mark."""
    match = WRITTEN.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return np.nan, False
    signs = [sign for sign in match.group("open", "sign", "inner_sign", "sign_behind") if sign]
    if len(signs) > 1:
        return np.nan, False
    digits = match["digits"].rstrip(SPACES)
    read = _read_digits(digits, decimal)
    if read is None:
        return np.nan, _read_digits(digits, OTHER_MARK[decimal]) is not None
    value = float(f"{read}{match['exponent'] or ''}") * SCALES[match["scale"].lower()]
    return (-value if signs and signs[0] != "+" else value), False


def _read_digits(digits: str, decimal: str) -> str | None:
    """As Python writes them, if each mark stands where it may."""
    whole, _, decimals = digits.partition(decimal)
    marks = set(re.findall(rf"[{OTHER_MARK[decimal]}{SPACES}]", whole))
    if len(marks) > 1 or (decimals and not decimals.isdigit()):
        return None
    groups = re.split(f"[{''.join(marks)}]", whole) if marks else [whole]
    # Of two digits in between where one counts in lakh: 12,34,567.
    in_groups = 1 <= len(groups[0]) <= 3 and len(groups[-1]) == 3 and all(len(group) in (2, 3) for group in groups[1:])
    if not all(group.isdigit() for group in groups if whole) or (marks and not in_groups):
        return None
    if marks and groups[0].startswith("0"):
        return None  # 0,123 has decimals
    return f"{''.join(groups) or '0'}.{decimals or '0'}"


def _usual_form(decimal: str) -> str:
    groups = f"[{SPACES}{OTHER_MARK[decimal]}]"
    return rf"^[-+]?(?:\d+|[1-9]\d{{0,2}}(?:{groups}\d{{3}})+)(?:{re.escape(decimal)}\d+)?(?:[eE][-+]?\d+)?$"


def _floats(values: pa.Array) -> Floats:
    return np.array(values.to_numpy(zero_copy_only=False), np.float64)
