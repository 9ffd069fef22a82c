"""A schema out of its TOML file, or one sentence that says which key is wrong and what it may be."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from campaign.errors import BadInput
from campaign.schema import Column, Schema
from campaign.schema_parts import FeatureSet, Model, Outcome, Row, Text
from campaign.settings import Settings
from campaign.store import Store

NAME = "campaign.toml"
TABLES: dict[str, type[BaseModel]] = {"model": Model, "row": Row, "outcome": Outcome, "text": Text, "column": Column}
REMEDY = "Mend that line."


@cache
def published() -> Schema:
    """The schema of the published data set, and the default."""
    path = Path(__file__).with_name("published.toml")
    return parse_schema(path.read_text(), path.name)


def home_schema() -> Schema:
    """The schema of this home: CAMPAIGN_SCHEMA, else campaign.toml in CAMPAIGN_HOME, else the published one."""
    settings = Settings()
    if settings.schema_uri:
        return read_schema(settings.schema_uri)
    own = settings.home / NAME
    return read_schema(str(own)) if own.is_file() else published()


def served_model() -> str:
    """The registered model that scores and is monitored: CAMPAIGN_MODEL, or else that of the home's schema."""
    return Settings().model or home_schema().name


def read_schema(uri: str) -> Schema:
    """The schema in a file at a path or an s3:// URI. Raises `BadInput` naming the key that is wrong."""
    try:
        folder, _, name = uri.rpartition("/")
        text = (Store(folder).read(name) if "://" in uri else Path(uri).read_bytes()).decode()
    except FileNotFoundError as error:
        raise BadInput(f"{uri}: there is no such file.", "Check the path, or CAMPAIGN_SCHEMA.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{uri}: it is not TOML, which is UTF-8 ({error}).", "Save it as UTF-8.") from error
    return parse_schema(text, name)


def parse_schema(text: str, name: str = NAME) -> Schema:
    """Raises `BadInput` naming the table, the key, what stands there, and what may stand there."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name}: it is not TOML: {error}.", REMEDY) from error
    return schema_of(table, name)


def schema_of(table: Mapping[str, Any], name: str) -> Schema:
    """The same for a table that was parsed."""
    try:
        return Schema.model_validate(table)
    except ValidationError as error:
        raise BadInput(f"{name}: {_sentence(error, table)}.", REMEDY) from error


def feature_set_of(name: str) -> FeatureSet:
    """A feature set by its name, `published` being the old one of `all`. Raises `BadInput`."""
    for known in get_args(FeatureSet):
        if name == known or (name, known) == ("published", "all"):
            return known
    raise BadInput(
        f"There is no feature set {name!r}.",
        "Say launch (what is known at launch), running (what is known while it runs) or all.",
    )


def _sentence(error: ValidationError, table: Mapping[str, Any]) -> str:
    faults = error.errors(include_url=False)
    # A table under another name is missing under its own: the name is what is wrong.
    fault = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    place, kind = [part for part in fault["loc"] if not _is_tag(part)], fault["type"]
    where, key = _where(place, table)
    if kind == "extra_forbidden":
        if len(place) == 1:
            return f"there is no table [{place[0]}]; the nearest is [{_nearest(place[0], TABLES)}]"
        return f'{where}there is no key "{key}"; the nearest is "{_nearest(key, _keys(str(place[0])))}"'
    if kind == "missing":
        return f"{where}{key} is missing"
    if kind == "value_error":
        message = str(fault["ctx"]["error"])
        return message if not where or message.startswith("[") else f"{where}{message}"
    return f"{where}{key} is {_shown(fault['input'])}; {_allowed(fault)}"


def _is_tag(part: int | str) -> bool:
    """Whether a part of a place is pydantic's name for one of several types that a value may have."""
    return isinstance(part, str) and (part in ("AtLeast", "Gain", "Share") or "[" in part)


def _where(place: list[Any], table: Mapping[str, Any]) -> tuple[str, str]:
    """`[[column]] 3 (GoalUSD): ` or `[row]: `, and the key within."""
    if not place:
        return "", ""
    if place[0] == "column" and len(place) > 1 and isinstance(place[1], int):
        name = table["column"][place[1]].get("name", "") if isinstance(table["column"][place[1]], dict) else ""
        named = f" ({name})" if isinstance(name, str) and name else ""
        return f"[[column]] {place[1] + 1}{named}: ", str(place[2]) if len(place) > 2 else "derive"
    if len(place) == 1:
        return "", f"[[{place[0]}]]" if place[0] == "column" else f"[{place[0]}]"
    return f"[{place[0]}]: ", str(place[1])


def _nearest(name: object, known: Iterable[str]) -> str:
    return get_close_matches(str(name), list(known), 1, 0)[0]


def _keys(table: str) -> list[str]:
    model = TABLES.get(table)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _shown(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _allowed(fault: Any) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "literal_error":
        return f"it may be {context['expected']}".replace("'", '"')
    words = {
        "string_type": "it is a text, in quotes",
        "string_too_short": "it is a text",
        "string_pattern_mismatch": "it is made of letters, digits, dots, - and _",
        "bool_type": "it is true or false", "bool_parsing": "it is true or false",
        "float_type": "it is a number", "float_parsing": "it is a number",
        "tuple_type": "it is a list of texts, in brackets",
        "too_short": "it has at least one",
        "model_type": "it is a table", "dict_type": "it is a table",
        "greater_than": f"it is more than {context.get('gt')}", "less_than": f"it is less than {context.get('lt')}",
    }  # fmt: skip
    return words.get(kind, str(fault["msg"]).lower())
