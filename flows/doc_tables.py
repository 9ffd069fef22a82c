"""Write the tables of docs/ anew from the code: `python -m flows.doc_tables docs/*.md`."""

import sys
from pathlib import Path

from pydantic import AliasChoices

from campaign.schema_file import published
from campaign.settings import Settings


def settings_table() -> str:
    """Name, default and meaning of every setting."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"CAMPAIGN_{name.upper()}"
        if field.default_factory:
            known = {"home": Path("/HOME"), "store": "$CAMPAIGN_STORE", "mlflow_tracking_uri": "$MLFLOW_TRACKING_URI"}
            default = field.default_factory(known).replace("/HOME", "$CAMPAIGN_HOME")  # type: ignore[call-arg]
        else:
            default = "" if field.default is None else str(field.default)
        rows.append(f"| `{variable}` | {f'`{default}`' if default else ''} | {field.description} |")
    return "\n".join(rows)


def columns_table() -> str:
    """Every feature, what it means, what the published data shows, and when it is known."""
    rows = ["| column | meaning | in the published data | known |", "|---|---|---|---|"]
    for column in published().columns:
        shown = (
            ", ".join(column.categories)
            if column.is_category
            else f"{column.low:,.0f} – {column.high:,.0f} {column.unit}"
        )
        rows.append(f"| `{column.name}` | {column.meaning} | {shown} | {column.known} |")
    return "\n".join(rows)


TABLES = {"settings": settings_table, "columns": columns_table}


def rewritten(text: str) -> str:
    """A page with whatever stands between `<!-- name -->` and `<!-- /name -->` made anew."""
    for name, table in TABLES.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"\n<!-- /{name} -->")
        if start and end:
            text = before + start + table() + end + after
    return text


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(rewritten(page.read_text()))
