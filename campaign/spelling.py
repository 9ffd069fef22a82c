"""How a category, and a yes or a no, may be written: without regard to case."""

from collections.abc import Iterable

from campaign.schema import Column
from campaign.schema_parts import NO, YES

YES_WORDS, NO_WORDS = (*YES, "y", "t", "on"), (*NO, "n", "f", "off")


def spellings_of(column: Column) -> dict[str, str]:
    """The schema's name of each category of a column, by how it may be written, in lower case."""
    return spellings(column.categories)


def spellings(categories: Iterable[str]) -> dict[str, str]:
    """The same for any categories: beside a yes and a no stand all other words for these."""
    names = {name.casefold(): name for name in categories}
    yes, no = ([word for word in words if word in names] for words in (YES_WORDS, NO_WORDS))
    if len(yes) == len(no) == 1:
        names |= dict.fromkeys(YES_WORDS, names[yes[0]]) | dict.fromkeys(NO_WORDS, names[no[0]])
    return names


def is_yes_or_no(column: Column) -> bool:
    """Whether the categories of a column are yes and no, so that true and false and 1 and 0 stand for them too."""
    return {name.casefold() for name in column.categories} == {"no", "yes"}
