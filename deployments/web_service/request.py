"""One campaign as a client writes it in JSON, checked by what the schema of the model in service says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    with_config,
)
from pydantic_core import from_json
from typing_extensions import TypedDict

from campaign.derivation import Kind
from campaign.schema import ID, MAX_NUMBER, Column, Schema
from campaign.spelling import is_yes_or_no, spellings_of
from deployments.web_service.refusals import NotUnderstood

MAX_TEXT = 200  # characters
REASONS = {
    "missing": "is missing",
    "string_too_short": "is missing",
    "float_type": "is not a number",
    "finite_number": "is not finite",
    "less_than_equal": "is not finite",
    "string_type": "is not text",
    "string_too_long": f"is longer than {MAX_TEXT} characters",
}


@dataclass(frozen=True)
class RequestField:
    """What a client may send: `key` is its name in a checked campaign, `names` what it may be called.

    `column` is None for what derived columns alone are computed from; `kind` says what that is.
    """

    key: str
    names: tuple[str, ...]
    kind: Kind
    required: bool
    nullable: bool
    column: Column | None = None

    @property
    def json_name(self) -> str:
        return self.names[0]


def fields_of(schema: Schema) -> list[RequestField]:
    """Every column that is not derived, and what the derived features are computed from.

    A model's features are required, but for nullable ones; the schema's other columns are welcome.
    """
    fields: dict[str, RequestField] = {}
    features = {column.name for column in schema.features}
    for column in schema.columns:
        if column.derive is None:
            names = dict.fromkeys((column.in_file.lower(), column.in_file, column.name.lower(), column.name))
            wanted = column.name in features and not column.nullable
            kind: Kind = "text" if column.is_category else "number"
            fields[column.in_file.casefold()] = RequestField(
                column.name, tuple(names), kind, wanted, column.nullable, column
            )
    for column in schema.features:
        for name, kind in column.derive.takes if column.derive else ():
            if schema.above(column, name) is None:
                names = dict.fromkeys((name.lower(), name))
                field = RequestField(name, tuple(names), kind, not column.nullable, column.nullable)
                fields.setdefault(name.casefold(), field)
    return list(fields.values())


class CampaignRequest:
    """Checks campaigns for models of one schema."""

    def __init__(self, schema: Schema) -> None:
        self.fields = fields_of(schema)
        kinds: dict[str, Any] = {}
        for field in self.fields:
            kind = _kind(field)
            kinds[field.key] = kind if field.required else NotRequired[kind]
        kinds[ID] = NotRequired[_id(schema)]
        self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(TypedDict("Campaign", kinds))  # type: ignore[operator]
        # Most bodies have the known fields alone, and are parsed at once. A further one may be a field spelled twice.
        strict = with_config(ConfigDict(extra="forbid"))(TypedDict("Campaign", kinds))  # type: ignore[operator]
        self.parse = TypeAdapter(strict).validator.validate_json  # without a call in between
        self._spellings = {
            field.key: spellings_of(field.column) for field in self.fields if field.column and field.column.is_category
        }
        self._by_name = {name.casefold(): field for field in self.fields for name in field.names}
        self._id_names = [ID.casefold(), *filter(None, [schema.row.id.casefold()])]
        self._names = {field.json_name: [name.casefold() for name in field.names] for field in self.fields}
        self._names[ID] = self._id_names

    @property
    def required(self) -> set[str]:
        """The fields without which no campaign is scored."""
        return {field.json_name for field in self.fields if field.required}

    def read(self, body: bytes) -> dict[str, Any]:
        """The values of a JSON body under the schema's names: float or text. Raises `NotUnderstood`."""
        try:
            values: dict[str, Any] = self.parse(body)
        except ValidationError:
            return self.check(from_body(body))
        return values

    def check(self, row: Any) -> dict[str, Any]:
        """The same for JSON that was parsed. Raises `NotUnderstood` naming each field and what is wrong with it."""
        try:
            return self._adapter.validate_python(self._normalise(row))
        except ValidationError as error:
            raise NotUnderstood(self._faults(error)) from error

    def json_schema(self) -> dict[str, Any]:
        """What OpenAPI says of the body."""
        return self._adapter.json_schema()

    def canonical_category(self, name: str, text: str) -> str:
        """A category under its name in the schema; another one as it was written."""
        return self._spellings[name].get(text.casefold(), text)

    def canonical(self, campaign: Mapping[str, Any]) -> dict[str, Any]:
        """A campaign with its categories under their names in the schema."""
        return {
            name: self.canonical_category(name, value) if value is not None and name in self._spellings else value
            for name, value in campaign.items()
        }

    def _normalise(self, row: Any) -> Any:
        """Keys in whatever case, numbers that were written as text, categories as true, false or a whole number.

        Raises `NotUnderstood` for a field that is there in two spellings, with different values.
        """
        if not isinstance(row, dict):
            return row
        given: dict[str, Any] = {}
        spelled: dict[str, str] = {}
        for key, value in row.items():
            folded = str(key).strip().casefold()
            if field := self._by_name.get(folded):
                value = self._normalise_value(field, value)
            elif folded in self._id_names and type(value) is int:
                value = str(value)
            if folded in given and given[folded] != value:
                raise NotUnderstood([(folded, f"is there twice, as {spelled[folded]} and {key}, and differs")])
            given[folded], spelled[folded] = value, str(key)
        normalised: dict[str, Any] = {}
        for key, names in self._names.items():  # of several names the first counts, as in files
            if found := next((name for name in names if name in given), ""):
                normalised[key] = given[found]
        return normalised

    def _normalise_value(self, field: RequestField, value: Any) -> Any:
        column = field.column
        if column is not None and column.is_category:
            if isinstance(value, bool):
                return self.canonical_category(column.name, str(value)) if is_yes_or_no(column) else value
            return str(value) if type(value) is int and not column.categories else value
        if field.nullable and isinstance(value, str) and not value.strip():
            return None
        if field.kind == "number" and isinstance(value, str) and re.search(_number_as_text(column), value):
            return float(value)
        return value

    def _faults(self, error: ValidationError) -> list[tuple[str, str]]:
        """Fields under their JSON names, with reasons in the words of files that are read."""
        faults = []
        for fault in error.errors(include_url=False, include_context=False):
            name = str(fault["loc"][0]).lower() if fault["loc"] else "body"
            given, kind = fault["input"], fault["type"]
            if given is None or given == "":
                kind = "missing"
            elif kind == "float_type" and type(given) is int:
                kind = "finite_number"  # more digits than a float has room for
            field = self._by_name.get(name)
            if kind in ("greater_than", "greater_than_equal") and field and field.column:
                reason = field.column.too_small
            else:
                reason = REASONS.get(kind, "")
            faults.append((name, reason or ("is not a JSON object" if not fault["loc"] else fault["msg"])))
        return faults


def from_body(body: bytes) -> Any:
    """Any JSON. Raises `NotUnderstood`."""
    try:
        return from_json(body)
    except ValueError as error:
        raise NotUnderstood([("body", f"is not JSON ({error})")]) from error


def _number_as_text(column: Column | None) -> str:
    """Numbers written as text, as a spreadsheet or a form leaves them."""
    if column is not None and column.exclusive_minimum == 0:
        return r"^[1-9][0-9]{0,14}(\.[0-9]{1,9})?$"
    sign = "" if column is not None and column.minimum == 0 else "-?"
    return rf"^{sign}[0-9]{{1,15}}(\.[0-9]{{1,9}})?$"


def _id(schema: Schema) -> Any:
    kinds = [{"type": "string", "maxLength": MAX_TEXT}, {"type": "integer"}, {"type": "null"}]
    about = f"your own id of the {schema.outcome.noun}, under which its outcome may come later"
    text = Annotated[str, Strict(), StringConstraints(max_length=MAX_TEXT)]
    names = dict.fromkeys(filter(None, (ID.lower(), ID, schema.row.id.lower(), schema.row.id)))
    return Annotated[
        text | None, WithJsonSchema({"anyOf": kinds, "description": about}), _alias(tuple(names))
    ]  # fmt: skip


def _alias(names: tuple[str, ...]) -> Any:
    return Field(validation_alias=AliasChoices(*names))


def _kind(field: RequestField) -> Any:
    if field.column is None:
        kind = _source(field)
    else:
        kind = _category(field.column) if field.column.is_category else _number(field.column)
    return Annotated[kind | None if field.nullable else kind, _alias(field.names)]


def _source(field: RequestField) -> Any:
    about: dict[str, Any] = {"description": "2026-11-22 or 2026-11-22T17:05:00" if field.kind == "time" else "a text"}
    if field.kind == "number":
        plain: Any = Annotated[float, Strict(), Field(allow_inf_nan=False), WithJsonSchema({"type": "number"})]
    else:
        plain = Annotated[str, Strict(), WithJsonSchema({"type": "string"} | about)]
    return plain


def _number(column: Column) -> Any:
    bound: dict[str, Any] = {}
    limits: dict[str, Any] = {"maximum": MAX_NUMBER}
    if column.exclusive_minimum is not None:
        bound["gt"] = limits["exclusiveMinimum"] = column.exclusive_minimum
    elif column.minimum is not None:
        bound["ge"] = limits["minimum"] = column.minimum
    else:
        bound["ge"] = limits["minimum"] = -MAX_NUMBER
    shown = f"; in the published data {column.low:,.0f} to {column.high:,.0f}" if _has_hints(column) else ""
    in_brackets = f" ({column.unit}{shown})" if column.unit or shown else ""
    json_schema: dict[str, Any] = {
        "anyOf": [{"type": "number"} | limits, {"type": "string", "pattern": _number_as_text(column)}],
        "description": f"{_about(column)}{in_brackets}",
    }
    if _has_hints(column):
        json_schema["examples"] = [(int(column.low or 0) + int(column.high or 0)) // 2]
    number = Annotated[float, Strict(), Field(allow_inf_nan=False, le=MAX_NUMBER, **bound)]
    return Annotated[number, WithJsonSchema(json_schema)]


def _category(column: Column) -> Any:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": r"\S"}
    known = f" ({', '.join(column.categories)}, or another, which the model does not know)" if column.categories else ""
    json_schema: dict[str, Any] = {
        **({"anyOf": [text, {"type": "boolean"}]} if is_yes_or_no(column) else text),
        "description": f"{_about(column)}{known}",
    }
    if column.categories:
        json_schema["examples"] = [column.categories[0]]
    trimmed = StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)
    return Annotated[str, Strict(), trimmed, WithJsonSchema(json_schema)]


def _about(column: Column) -> str:
    return f"{column.meaning or column.name}; known {column.known}"


def _has_hints(column: Column) -> bool:
    return column.low is not None and column.high is not None
