"""What the rows of somebody's campaigns are: columns, when each is known, identity, outcome.

A schema is a value. It is read from TOML (`campaign/schema_file.py`), handed down to whoever needs it, and stored whole
in each model. Validation, encoding, the web service's request model, the MLflow signature, the drift report and the
leakage audit all derive from it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from campaign.derivation import Derivation
from campaign.schema_parts import AtLeast, FeatureSet, Model, Outcome, Row, Table, Text

Known = Literal["at launch", "while running", "at the end"]
KNOWN_BY: dict[FeatureSet, tuple[Known, ...]] = {
    "launch": ("at launch",),
    "running": ("at launch", "while running"),
    "all": ("at launch", "while running", "at the end"),
}

# In the files that this project writes: whose row it is, and what became of it.
ID, LABEL = "CampaignID", "IsSuccessful"
LABELLED_DAY = "LabelledDay"  # the day that a gathered row came with; empty for one of the data set
OF_PREDICTIONS = ("prediction_id", "probability", "success", "model_version", "answered_at")
MAX_NUMBER = float(np.finfo(np.float32).max)


class Column(Table):
    """One feature, under its own name; `source` is what files call it, or `derive` says how it is computed.

    `minimum` and `exclusive_minimum` are physics: what lies below is a bad row. `low`, `high`, `categories` and `start`
    are hints for page and documentation, never checks.
    """

    name: Annotated[str, Field(min_length=1)]
    type: Literal["number", "category"]
    known: Known
    source: str = ""
    derive: Derivation | None = None
    meaning: str = ""
    unit: str = ""
    minimum: float | None = None
    exclusive_minimum: Annotated[float | None, Field(alias="exclusiveMinimum")] = None
    missing_values: Annotated[tuple[str, ...] | None, Field(alias="missingValues")] = None
    nullable: bool = False
    role: Literal["", "goal", "raised", "currency"] = ""
    segment: bool = False
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    start: float | str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> "Column":
        if self.derive and self.source:
            raise ValueError("has both source and derive; keep one of them")
        if self.derive and self.is_category:
            raise ValueError(f'{self.derive.function} gives a number; its type may be "number"')
        return self

    @property
    def in_file(self) -> str:
        """What files call it; empty for a derived column."""
        return "" if self.derive else self.source or self.name

    @property
    def field(self) -> str:
        """What the web service calls it."""
        return (self.in_file or self.name).lower()

    @property
    def is_category(self) -> bool:
        return self.type == "category"

    @property
    def arrow_type(self) -> pa.DataType:
        """Of the values in files that this project writes."""
        return pa.string() if self.is_category else pa.float64()

    def is_possible(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which numbers physics allows in this column: there, finite in float32, and not below its minimum."""
        if self.exclusive_minimum is not None:
            return (values > self.exclusive_minimum) & (values <= MAX_NUMBER)
        if self.minimum is not None:
            return (values >= self.minimum) & (values <= MAX_NUMBER)
        return np.abs(values) <= MAX_NUMBER

    @property
    def too_small(self) -> str:
        """What is wrong with a number below the minimum."""
        if self.exclusive_minimum is not None:
            return f"is not more than {self.exclusive_minimum:g}"
        if self.minimum is None:
            return "is not finite"
        return f"is less than {self.minimum:g}" if self.minimum else "is negative"


class Schema(Table):
    """Columns of all feature sets in their own order; `features` are those of the model's."""

    model: Model
    row: Row = Row()
    outcome: Outcome
    text: Text = Text()
    columns: Annotated[tuple[Column, ...], Field(alias="column", min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> "Schema":
        above: dict[str, Column] = {}
        for place, column in enumerate(self.columns, 1):
            where = f"[[column]] {place} ({column.name})"
            if column.name.casefold() in above:
                raise ValueError(f"{where}: another column has this name; each name may stand once")
            if column.name.casefold() in map(str.casefold, (ID, LABEL, LABELLED_DAY, *OF_PREDICTIONS)):
                raise ValueError(
                    f"{where}: this name is taken by the project's own files; give it another, and a source"
                )
            for argument, kind in column.derive.takes if column.derive else ():
                known = above.get(argument.casefold())
                if known is not None and known.derive is not None and kind != "number":
                    raise ValueError(f"{where}: {argument} is a derived number, where a {kind} is needed")
            above[column.name.casefold()] = column
        for role in ("goal", "raised", "currency"):
            if sum(column.role == role for column in self.columns) > 1:
                raise ValueError(f'[[column]]: two columns have the role "{role}"; it may stand once')
        if not isinstance(self.outcome.success, AtLeast):
            if not self.outcome.column:
                raise ValueError("[outcome]: column is missing; name the column that says what became of a row")
            for key in ("success", "failure"):
                if not getattr(self.outcome, key):
                    raise ValueError(f"[outcome]: {key} is missing or empty; list the words of a {key}")
        if not self.features:
            raise ValueError(f'[model]: no column belongs to the feature set "{self.model.feature_set}"')
        return self

    @property
    def name(self) -> str:
        """Of the MLflow experiment and the registered model."""
        return self.model.name

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The columns that a model of this feature set sees, in the schema's order."""
        known = KNOWN_BY[self.model.feature_set]
        return tuple(column for column in self.columns if column.known in known)

    def select(self, feature_set: FeatureSet) -> "Schema":
        """The schema of a model of another feature set: a model of its own, named after it."""
        if feature_set == self.model.feature_set:
            return self
        model = self.model.model_copy(update={"name": f"{self.name}-{feature_set}", "feature_set": feature_set})
        return self._with(model=model)

    def column(self, name: str) -> Column:
        """KeyError if there is none of that name."""
        return self._by_name[name.casefold()]

    def above(self, column: Column, argument: str) -> Column | None:
        """The column that a derived column's argument names, if it stands above it; else the argument is a source."""
        for other in self.columns:
            if other is column:
                return None
            if other.name.casefold() == argument.casefold():
                return other
        return None

    def with_role(self, role: str) -> Column | None:
        """The feature that is the goal, the amount raised, or the currency."""
        return next((column for column in self.features if column.role == role), None)

    def sources_of(self, columns: Iterable[Column]) -> tuple[str, ...]:
        """What a file has to hold for these columns, each name once."""
        names: dict[str, str] = {}
        for column in columns:
            for name in self._sources(column):
                names.setdefault(name.casefold(), name)
        return tuple(names.values())

    @cached_property
    def identity_columns(self) -> tuple[str, ...]:
        """The sources whose values tell rows without an id apart; they do not depend on the feature set."""
        known = KNOWN_BY[self.row.identity]
        return self.sources_of(column for column in self.columns if column.known in known)

    @cached_property
    def stored(self) -> "Schema":
        """The same campaigns as this project writes them: each column under its own name, derived ones computed."""
        plain = {"source": "", "derive": None, "missing_values": ()}
        columns = tuple(column.model_copy(update=plain) for column in self.columns)
        outcome = self.outcome.model_copy(update={"column": LABEL, "success": ("1",), "failure": ("0",)})
        return self._with(row=Row(id=ID), columns=columns, outcome=outcome, text=Text())

    def to_table(self) -> dict[str, Any]:
        """As TOML and JSON hold it, without what is the default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.to_table(), sort_keys=True).encode()).hexdigest()[:12]

    def _with(self, **changed: Any) -> "Schema":
        # Made anew: a copy would keep what was derived from the old values.
        return Schema(**{name: getattr(self, name) for name in Schema.model_fields} | changed)

    @cached_property
    def _by_name(self) -> Mapping[str, Column]:
        return {column.name.casefold(): column for column in self.columns}

    def _sources(self, column: Column) -> Iterable[str]:
        if column.derive is None:
            yield column.in_file
            return
        for argument, _ in column.derive.takes:
            above = self.above(column, argument)
            if above is None:
                yield argument
            else:
                yield from self._sources(above)
