"""How a category, and a yes or a no, may be written: without regard to case."""

from campaign.schema import Column

YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")


def spellings_of(column: Column) -> dict[str, str]:
    """The schema's name of each category of a column, by how it may be written, in lower case."""
    names = {name.casefold(): name for name in column.categories}
    if is_yes_or_no(column):
        names |= dict.fromkeys(YES, names["yes"]) | dict.fromkeys(NO, names["no"])
    return names


def is_yes_or_no(column: Column) -> bool:
    """Whether the categories of a column are yes and no, so that true and false and 1 and 0 stand for them too."""
    return {name.casefold() for name in column.categories} == {"no", "yes"}


def outcome_of(text: str) -> float:
    """1 for a yes, 0 for a no, NaN for what is neither."""
    word = text.strip().casefold()
    return 1.0 if word in YES else 0.0 if word in NO else float("nan")
