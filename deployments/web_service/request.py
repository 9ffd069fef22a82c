"""One campaign as a client writes it in JSON: checked by a model that is derived from campaign/schema.py."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from pydantic import AliasChoices, Field, Strict, StringConstraints, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import from_json
from typing_extensions import TypedDict

from campaign.schema import BY_NAME, FEATURES, ID, MAX_NUMBER, Column, features_of
from campaign.spelling import is_yes_or_no, spellings_of
from deployments.web_service.refusals import NotUnderstood

MAX_TEXT = 200  # characters
# Numbers written as text, as a spreadsheet or a form leaves them.
NUMBER_AS_TEXT = {True: r"^[1-9][0-9]{0,14}(\.[0-9]{1,9})?$", False: r"^[0-9]{1,15}(\.[0-9]{1,9})?$"}
REASONS = {
    "missing": "is missing",
    "string_too_short": "is missing",
    "float_type": "is not a number",
    "finite_number": "is not finite",
    "less_than_equal": "is not finite",
    "greater_than_equal": "is negative",
    "greater_than": "is not more than 0",
    "string_type": "is not text",
    "string_too_long": f"is longer than {MAX_TEXT} characters",
}


SPELLINGS = {column.name: spellings_of(column) for column in FEATURES if column.is_category}


def canonical_category(name: str, text: str) -> str:
    """A category under its name in the schema; another one as it was written."""
    return SPELLINGS[name].get(text.casefold(), text)


def canonical_campaign(campaign: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign with its categories under their names in the schema."""
    return {name: canonical_category(name, value) if name in SPELLINGS else value for name, value in campaign.items()}


@dataclass(frozen=True)
class CampaignRequest:
    """Checks campaigns for models of one feature set: its columns are required, the others are welcome."""

    adapter: TypeAdapter[dict[str, Any]]
    parse: Any  # the adapter's own JSON parser, without a call in between

    @classmethod
    def of(cls, feature_set: str) -> "CampaignRequest":
        required = features_of(feature_set)
        fields: dict[str, Any] = {}
        for column in FEATURES:
            kind = _field(column)
            fields[column.name] = kind if column in required else NotRequired[kind]
        fields[ID] = NotRequired[_id()]
        adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(TypedDict("Campaign", fields))  # type: ignore[operator]
        return cls(adapter, adapter.validator.validate_json)

    def read(self, body: bytes) -> dict[str, Any]:
        """The values of a JSON body under the published names: float or text. Raises `NotUnderstood`."""
        try:
            values: dict[str, Any] = self.parse(body)
        except ValidationError:
            return self.check(from_body(body))
        return values

    def check(self, row: Any) -> dict[str, Any]:
        """The same for JSON that was parsed. Raises `NotUnderstood` naming each field and what is wrong with it."""
        try:
            return self.adapter.validate_python(_normalise_row(row))
        except ValidationError as error:
            raise NotUnderstood(_faults(error)) from error

    def json_schema(self) -> dict[str, Any]:
        """What OpenAPI says of the body."""
        return self.adapter.json_schema()


def from_body(body: bytes) -> Any:
    """Any JSON. Raises `NotUnderstood`."""
    try:
        return from_json(body)
    except ValueError as error:
        raise NotUnderstood([("body", f"is not JSON ({error})")]) from error


def _names(name: str) -> Any:
    return Field(validation_alias=AliasChoices(name.lower(), name))


def _id() -> Any:
    kinds = [{"type": "string", "maxLength": MAX_TEXT}, {"type": "integer"}, {"type": "null"}]
    json_schema = {"anyOf": kinds, "description": "your own id of the campaign, under which its outcome may come later"}
    text = Annotated[str, Strict(), StringConstraints(max_length=MAX_TEXT)]
    return Annotated[text | None, WithJsonSchema(json_schema), _names(ID)]


def _field(column: Column) -> Any:
    bound = {"gt": 0} if column.positive else {"ge": 0}
    about = f"{column.meaning}; known {column.known}"
    if not column.is_category:
        json_schema: dict[str, Any] = {
            "anyOf": [
                {"type": "number", "exclusiveMinimum" if column.positive else "minimum": 0, "maximum": MAX_NUMBER},
                {"type": "string", "pattern": NUMBER_AS_TEXT[column.positive]},
            ],
            "description": f"{about} ({column.unit}; in the published data {column.low:,} to {column.high:,})",
            "examples": [(column.low + column.high) // 2],
        }
        number = Annotated[float, Strict(), Field(allow_inf_nan=False, le=MAX_NUMBER, **bound)]
        return Annotated[number, WithJsonSchema(json_schema), _names(column.name)]
    text = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": r"\S"}
    json_schema = {
        **({"anyOf": [text, {"type": "boolean"}]} if is_yes_or_no(column) else text),
        "description": f"{about} ({', '.join(column.categories)}, or another, which the model does not know)",
        "examples": [column.categories[0]],
    }
    trimmed = StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)
    return Annotated[str, Strict(), trimmed, WithJsonSchema(json_schema), _names(column.name)]


def _normalise_row(row: Any) -> Any:
    """Numbers that were written as text, and yes or no as true or false, as the model wants them."""
    if not isinstance(row, dict):
        return row
    return {key: _normalise_value(str(key), value) for key, value in row.items()}


def _normalise_value(key: str, value: Any) -> Any:
    if key.lower() == ID.lower() and type(value) is int:
        return str(value)
    column = _BY_SPELLING.get(key)
    if column is None:
        return value
    if isinstance(value, bool) and is_yes_or_no(column):
        return canonical_category(column.name, str(value))
    if isinstance(value, str) and not column.is_category and re.search(NUMBER_AS_TEXT[column.positive], value):
        return float(value)
    return value


_BY_SPELLING: Mapping[str, Column] = BY_NAME | {name.lower(): column for name, column in BY_NAME.items()}


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    """Fields under their JSON names, with reasons in the words of campaign/reading.py."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False):
        field = str(fault["loc"][0]).lower() if fault["loc"] else "body"
        given, kind = fault["input"], fault["type"]
        if given is None or given == "":
            kind = "missing"
        elif kind == "float_type" and type(given) is int:
            kind = "finite_number"  # more digits than a float has room for
        reason = REASONS.get(kind, "")
        faults.append((field, reason or ("is not a JSON object" if not fault["loc"] else fault["msg"])))
    return faults
