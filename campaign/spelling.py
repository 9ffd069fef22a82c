"""How a category, and a yes or a no, may be written: without regard to case."""

from campaign.schema import Column
from campaign.schema_parts import NO, YES


def spellings_of(column: Column) -> dict[str, str]:
    """The schema's name of each category of a column, by how it may be written, in lower case."""
    names = {name.casefold(): name for name in column.categories}
    if is_yes_or_no(column):
        names |= dict.fromkeys(YES, names["yes"]) | dict.fromkeys(NO, names["no"])
    return names


def is_yes_or_no(column: Column) -> bool:
    """Whether the categories of a column are yes and no, so that true and false and 1 and 0 stand for them too."""
    return {name.casefold() for name in column.categories} == {"no", "yes"}
