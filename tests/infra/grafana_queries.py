"""What tests of Grafana's files share: the files, and Grafana's role on a real Postgres."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import psycopg2
import sqlalchemy as sa
import yaml

from tasks.metrics_database import database

GRAFANA = Path(__file__).parents[2] / "infra" / "grafana"
BOARD = json.loads((GRAFANA / "dashboards" / "campaign-model.json").read_text())
NUMBERS = {20, 21, 23, 701, 1700}  # bigint, smallint, integer, double precision, numeric
TEXT, TIMESTAMP = 25, 1184


def provisioned(name: str) -> dict:
    return yaml.safe_load((GRAFANA / "provisioning" / name).read_text())


def lost_options(given, kept, path: str = "") -> list[str]:
    """Paths that the types do not know and so drop: a misspelt option, for example."""
    if isinstance(given, dict):
        return [
            lost
            for key, value in given.items()
            for lost in (lost_options(value, kept[key], f"{path}/{key}") if key in kept else [f"{path}/{key}"])
        ]
    if isinstance(given, list):
        return [
            lost for n, (a, b) in enumerate(zip(given, kept, strict=True)) for lost in lost_options(a, b, f"{path}/{n}")
        ]
    return [] if given == kept else [path]


def assert_side_by_side(board: dict) -> None:
    """No two panels share a cell of the 24 columns."""
    cells = {
        panel["title"]: {
            (x, y)
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        for panel in board["panels"]
    }
    assert all(0 <= x < 24 for panel_cells in cells.values() for x, _ in panel_cells)
    assert not [pair for pair in combinations(cells, 2) if cells[pair[0]] & cells[pair[1]]]


def anchor_of(heading: str) -> str:
    """As GitHub makes a link of it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def assert_runbook_is_there(rule: dict) -> None:
    """The rule's title is a heading of docs/operations.md, and its runbook leads there."""
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert file == "docs/operations.md"
    text = (GRAFANA.parents[1] / file).read_text()
    assert rule["title"] in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert anchor == anchor_of(rule["title"])


@dataclass
class Answer:
    """Column names with their types (Postgres's numbers), and rows."""

    types: dict[str, int]
    rows: list[tuple]

    def column(self, name: str) -> list:
        return [row[list(self.types).index(name)] for row in self.rows]

    def of_type(self, *kinds: int) -> list[str]:
        return [name for name, kind in self.types.items() if kind in kinds]


def ask(cursor, sql: str) -> Answer:
    cursor.execute(sql)
    return Answer({column.name: column.type_code for column in cursor.description}, cursor.fetchall())


def with_grafana_role(url: str) -> sa.URL:
    """The metrics database with its tables, and the role `grafana` that infra/postgres makes."""
    with database(url).begin() as connection:
        if not connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = 'grafana'")):
            connection.execute(sa.text("CREATE ROLE grafana"))
        connection.execute(sa.text("ALTER ROLE grafana LOGIN PASSWORD 'tests'"))
        connection.execute(sa.text("GRANT USAGE ON SCHEMA public TO grafana"))
        connection.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO grafana"))
    return sa.make_url(url).set(drivername="postgresql")


@contextmanager
def changed(url: sa.URL, changes: list[str]) -> Iterator:
    """A cursor of Grafana's role after some changes. Nothing is kept."""
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    with connection.cursor() as cursor:
        for change in changes:
            cursor.execute(change)
        cursor.execute("SET LOCAL ROLE grafana")
        yield cursor
    connection.rollback()
    connection.close()
