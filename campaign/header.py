"""The names of a file's columns, and which of them are the ones that a schema asks for."""

import re
import string
from collections.abc import Iterable

from campaign.errors import BadInput

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"  # zero-width characters
# What a name may stand between.
WHITE_SPACE = string.whitespace + "\u00a0" + INVISIBLE
MAX_NAMES, MAX_NAME = 100, 60  # of a header, in a message


class Header:
    """The names of a file's columns, found without regard to case, and to spaces, dashes and underscores in them."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(map(str, names))
        self._exact: dict[str, list[str]] = {}
        self._loose: dict[str, list[str]] = {}
        for name in self.names:
            self._exact.setdefault(folded(name), []).append(name)
            self._loose.setdefault(letters(name), []).append(name)

    @property
    def excerpt(self) -> str:
        """The names, each on one line, and not thousands of them."""
        shown = ", ".join(" ".join(name.split())[:MAX_NAME] for name in self.names[:MAX_NAMES])
        return f"{shown} and {len(self.names) - MAX_NAMES:,} more" if len(self.names) > MAX_NAMES else shown

    def find(self, name: str) -> list[str]:
        """Those that may be meant: what has the same letters in other words only where no name is the same."""
        return self._exact.get(folded(name)) or self._loose.get(letters(name) or "-", [])


def folded(name: str) -> str:
    """Without regard to case and to what may stand around a name."""
    return name.strip(WHITE_SPACE).casefold()


def letters(name: str) -> str:
    """Its letters and digits alone."""
    return re.sub(r"[\W_]+", "", folded(name))


def match_header(header: Header, wanted: Iterable[str], source: str) -> dict[str, str]:
    """Where each wanted column stands in a file: {wanted: found}. Columns that nobody wants are ignored.

    Raises `BadInput` naming every missing column, or one that is there twice.
    """
    wanted = list(wanted)
    found = {name: header.find(name) for name in wanted}
    if missing := [name for name in wanted if not found[name]]:
        many = len(missing) > 1
        raise BadInput(
            f"{source}: {'columns' if many else 'column'} {', '.join(missing)} {'are' if many else 'is'} missing "
            f"(found: {header.excerpt or 'none'}).",
            "Add them, or rename the columns that hold them."
            if many
            else "Add it, or rename the column that holds it.",
        )
    for name, names in found.items():
        if len(names) > 1:
            raise BadInput(
                f"{source}: column {name} is there {len(names)} times ({', '.join(names)}).", "Keep one of them."
            )
    return {name: names[0] for name, names in found.items()}
