"""The tables of a schema beside its columns: model, identity and time of a row, outcome, how text is written."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FeatureSet = Literal["launch", "running", "all"]
# Yes and no, as a label or a category may be written.
YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


class Table(BaseModel):
    """A table of the TOML file. A key that it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Model(Table):
    """`feature_set` is what is trained on when nothing else is asked for."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    feature_set: FeatureSet = "launch"
    title: str = ""

    @field_validator("feature_set", mode="before")
    @classmethod
    def _old_name(cls, value: Any) -> Any:
        return "all" if value == "published" else value


class Row(Table):
    """Source columns: `launch` is when a campaign begins, `end` when its outcome is decided.

    `order`: the rows of a training file stand in the order of time. `identity`: the columns whose values tell rows
    without an id apart.
    """

    id: str = ""
    launch: str = ""
    end: str = ""
    order: Literal["", "time"] = ""
    identity: Literal["launch", "all"] = "launch"

    @property
    def tells_time(self) -> bool:
        """Whether it is known which rows are the later ones."""
        return bool(self.launch or self.order)


class AtLeast(Table):
    """A campaign succeeded if the first number is at least the second."""

    at_least: tuple[str, str]


class Gain(Table):
    """Acting on a campaign costs `cost`, and gains `gain` if it succeeds."""

    gain: Annotated[float, Field(gt=0)]
    cost: Annotated[float, Field(gt=0)]


class Share(Table):
    """The share of campaigns, the most probable ones, that are acted on."""

    share: Annotated[float, Field(gt=0, lt=1)]


class Outcome(Table):
    """What tells success from failure. A value that is neither is not decided yet: the row waits, and is counted."""

    column: str = ""
    success: tuple[str, ...] | AtLeast
    failure: tuple[str, ...] = ()
    decide: Annotated[float, Field(gt=0, lt=1)] | Gain | Share = 0.5
    noun: str = "campaign"
    yes: str = "succeed"
    no: str = "fail"

    @property
    def is_yes_or_no(self) -> bool:
        """Whether it is a label that is always there: what is neither yes nor no does not wait, it is wrong."""
        return (self.success, self.failure) == (YES, NO)

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of a file that say it."""
        return self.success.at_least if isinstance(self.success, AtLeast) else (self.column,)


class Text(Table):
    """How text files are written, in the names of Frictionless' CSV dialect and Table Schema."""

    delimiter: str = ""
    encoding: str = ""
    decimal_char: Annotated[Literal["", ".", ","], Field(alias="decimalChar")] = ""
    group_char: Annotated[Literal["", ".", ",", " ", "'", "\u00a0", "\u202f"], Field(alias="groupChar")] = ""
    missing_values: Annotated[tuple[str, ...], Field(alias="missingValues")] = MISSING_WORDS
    date_order: Annotated[Literal["YMD", "DMY", "MDY"], Field(alias="dateOrder")] = "YMD"
    timezone: str = "UTC"

    @model_validator(mode="after")
    def _tells_marks_apart(self) -> "Text":
        if self.group_char and self.group_char == self.decimal:
            raise ValueError(f'groupChar and decimalChar of [text] are both "{self.decimal}"; one of them may be')
        return self

    @property
    def decimal(self) -> str:
        """The decimal mark: a point, where nothing is said."""
        return self.decimal_char or ("," if self.group_char == "." else ".")

    @property
    def says_decimal(self) -> bool:
        return bool(self.decimal_char) or self.group_char in (".", ",")

    @field_validator("timezone")
    @classmethod
    def _exists(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except Exception as error:  # what it raises depends on the name
            raise ValueError(f'there is no time zone "{value}"') from error
        return value
