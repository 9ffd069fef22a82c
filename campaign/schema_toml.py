"""A schema as the TOML that people read and edit: keys in the schema's order, remarks behind them."""

import json
from collections.abc import Mapping
from typing import Any

WIDTH = 35  # where remarks begin, unless a line is longer


def table_lines(name: str, keys: Mapping[str, Any], notes: Mapping[str, str]) -> list[str]:
    """`[name]` and its keys, with a remark behind those that `notes` has."""
    return [name, *(_with_note(f"{key} = {toml_value(value)}", notes.get(key, "")) for key, value in keys.items()), ""]


def schema_text(table: Mapping[str, Any]) -> str:
    """The whole file of a schema's table."""
    lines = [line for name, keys in table.items() if name != "column" for line in table_lines(f"[{name}]", keys, {})]
    return "\n".join([*lines, *(line for keys in table["column"] for line in table_lines("[[column]]", keys, {}))])


def toml_value(value: Any) -> str:
    """A text, a number, a claim, a list of them, or a table within a line."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {toml_value(held)}' for key, held in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False)  # TOML's texts, numbers and claims are written as JSON's


def _with_note(line: str, note: str) -> str:
    return f"{line:<{WIDTH}}# {note}" if note else line
