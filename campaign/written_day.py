"""A day as people and programs write it."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator

WORDS = {"today": 0, "yesterday": 1}
DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
TWO_WAYS = re.compile(r"(\d{1,2})([-/])(\d{1,2})\2(\d{4})")


def read_day(given: object) -> object:
    """2026-11-22, also with a time behind it, 22.11.2026, today or yesterday (in UTC) as a date.

    What is no text is given back as it is. Raises `ValueError` with a sentence for any other text.
    """
    if isinstance(given, datetime):
        return given.date()
    if not isinstance(given, str):
        return given
    text = given.strip()
    if (word := text.lower()) in WORDS:
        return datetime.now(UTC).date() - timedelta(days=WORDS[word])
    try:
        if found := DAY_FIRST.fullmatch(text):
            day, month, year = map(int, found.groups())
            return date(year, month, day)
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        why = "can be read in two ways" if TWO_WAYS.fullmatch(text) else "is no day"
        raise ValueError(f"{given} {why}: write it year first, like 2026-11-22, or today, or yesterday") from error


WrittenDay = Annotated[date, BeforeValidator(read_day)]
