"""Grafana cannot be run here, so this proves what can be: the files fit Grafana's types, and their SQL the database.

Every query runs as Grafana's role on the Postgres that one loop of the real flows has filled.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import alerting, dashboard
from psycopg2.errors import InsufficientPrivilege

from tasks.metrics_database import METADATA, schedules

HERE = Path(__file__).parents[2] / "infra" / "grafana"
BOARD = json.loads((HERE / "dashboards" / "campaign-model.json").read_text())
PANELS = {panel["title"]: panel for panel in BOARD["panels"]}
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
ANNOTATIONS = {
    annotation["name"]: annotation for annotation in BOARD["annotations"]["list"] if not annotation.get("builtIn")
}


def provisioned(name: str) -> dict:
    return yaml.safe_load((HERE / "provisioning" / name).read_text())


[SOURCE] = provisioned("datasources/metrics.yaml")["datasources"]
[GROUP] = provisioned("alerting/rules.yaml")["groups"]
RULES = {rule["uid"].removeprefix("campaign-"): rule for rule in GROUP["rules"]}
NUMBERS = {20, 21, 23, 701, 1700}  # bigint, smallint, integer, double precision, numeric
TEXT, TIMESTAMP = 25, 1184


def expand(sql: str, chosen: dict[str, str]) -> str:
    """The query that Grafana sends: its macros on the dashboard's time range, its variables as chosen."""
    begin, end = datetime.now(UTC) - timedelta(days=int(BOARD["time"]["from"][4:-1])), datetime.now(UTC)
    macros = {
        "time": '{} AS "time"',
        "timeFilter": f"{{}} BETWEEN '{begin.isoformat()}' AND '{end.isoformat()}'",
    }
    sql = re.sub(r"\$\{(\w+):sqlstring\}", lambda match: chosen[match[1]], sql)
    sql = re.sub(r"\$__(\w+)\(([^)]*)\)", lambda match: macros[match[1]].format(match[2]), sql)
    assert "$" not in sql
    return sql


def all_values() -> dict[str, str]:
    return {name: variable["allValue"] for name, variable in VARIABLES.items()}


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


@pytest.fixture(scope="module")
def filled(world, postgres) -> sa.URL:
    """The database of the played loop, with the role `grafana` that infra/postgres makes."""
    from tasks.metrics_database import database

    with database(postgres).begin() as connection:
        if not connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = 'grafana'")):
            connection.execute(sa.text("CREATE ROLE grafana"))
        connection.execute(sa.text("ALTER ROLE grafana LOGIN PASSWORD 'tests'"))
        connection.execute(sa.text("GRANT USAGE ON SCHEMA public TO grafana"))
        connection.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO grafana"))
        write_calm_schedules(connection)
    return sa.make_url(postgres)


def write_calm_schedules(connection: sa.Connection) -> None:
    """The rows that the watchdog writes for a calm stack."""
    row = {"active": True, "next_run": sa.func.now(), "last_state": "Completed", "last_ended": sa.func.now()}
    connection.execute(sa.delete(schedules))
    for name in ("training/weekly", "batch-scoring/daily", "monitoring/daily"):
        connection.execute(sa.insert(schedules).values(deployment=name, checked_at=sa.func.now(), **row))


@pytest.fixture
def grafana(filled) -> Iterator:
    """A cursor of Grafana's role."""
    url = filled.set(username="grafana", password="tests", drivername="postgresql")
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("grafana",)
        yield cursor
    connection.close()


@pytest.fixture
def what_if(filled) -> Iterator:
    """Whether a rule fires after some changes, as seen by Grafana's role. Nothing is kept."""
    connection = psycopg2.connect(filled.set(drivername="postgresql").render_as_string(hide_password=False))

    def fires(rule: dict, changes: list[str]) -> bool:
        with connection.cursor() as cursor:
            for change in changes:
                cursor.execute(change)
            cursor.execute("SET LOCAL ROLE grafana")
            answer = ask(cursor, rule["data"][0]["model"]["rawSql"])
        connection.rollback()
        [number] = answer.of_type(*NUMBERS)
        [limit] = rule["data"][1]["model"]["conditions"][0]["evaluator"]["params"]
        return any(value > limit for value in answer.column(number))

    yield fires
    connection.close()


# The files by themselves


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


def test_the_dashboard_loads_into_grafanas_types():
    register_default_plugins()
    loaded = dashboard.Dashboard.from_json(BOARD)
    assert [panel.type_val for panel in loaded.panels] == [panel["type"] for panel in BOARD["panels"]]
    assert all(type(panel.options).__name__ == "Options" for panel in loaded.panels)
    assert (loaded.uid, loaded.timezone, loaded.refresh) == ("campaign-model", "utc", "5m")
    assert (loaded.time.from_val, loaded.time.to) == ("now-30d", "now")
    kept = json.loads(JSONEncoder().encode(loaded))
    assert not [*lost_options(BOARD["panels"], kept["panels"]), *lost_options(BOARD["templating"], kept["templating"])]


def test_panels_lie_side_by_side_in_24_columns():
    cells = {
        title: {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        for title, at in ((title, panel["gridPos"]) for title, panel in PANELS.items())
    }  # fmt: skip
    assert all(0 <= x < 24 for panel_cells in cells.values() for x, _ in panel_cells)
    assert not [pair for pair in combinations(cells, 2) if cells[pair[0]] & cells[pair[1]]]


def test_names_and_ids_are_unique():
    for names in (
        [panel["id"] for panel in BOARD["panels"]],
        [panel["title"] for panel in BOARD["panels"]],
        [variable["name"] for variable in BOARD["templating"]["list"]],
        [rule["uid"] for rule in GROUP["rules"]],
        [rule["title"] for rule in GROUP["rules"]],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_explains_itself(title):
    panel, defaults = PANELS[title], PANELS[title]["fieldConfig"]["defaults"]
    assert panel["description"]
    assert defaults["noValue"]
    if panel["type"] in ("timeseries", "state-timeline"):
        assert defaults["unit"]
        assert panel["options"]["legend"]["showLegend"]


def test_everything_asks_the_one_data_source():
    uid = SOURCE["uid"]
    queries = [query for panel in BOARD["panels"] for query in (panel, *panel["targets"])]
    sources = [part["datasource"]["uid"] for part in (*queries, *VARIABLES.values(), *ANNOTATIONS.values())]
    sources += [rule["data"][0]["datasourceUid"] for rule in RULES.values()]
    assert set(sources) == {uid} == {"metrics"}


def test_the_data_source_is_the_read_only_role_on_the_metrics_database():
    assert SOURCE["type"] == "grafana-postgresql-datasource"
    assert (SOURCE["url"], SOURCE["user"], SOURCE["jsonData"]["database"]) == ("postgres:5432", "grafana", "metrics")
    assert "database" not in SOURCE
    assert SOURCE["secureJsonData"] == {"password": "$__file{/run/secrets/grafana-database-password}"}


def test_dashboard_and_alerts_share_a_folder():
    [provider] = provisioned("dashboards/campaign.yaml")["providers"]
    assert provider["folder"] == GROUP["folder"] == "Campaign"
    assert "folderUid" not in provider


def test_every_alert_reaches_the_webhook():
    [point] = provisioned("alerting/contact-points.yaml")["contactPoints"]
    [policy] = provisioned("alerting/policies.yaml")["policies"]
    assert policy["receiver"] == point["name"]
    assert [receiver["settings"]["url"] for receiver in point["receivers"]] == ["$GRAFANA_ALERT_WEBHOOK_URL"]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_complete(rule):
    loaded = alerting.Rule.from_json(rule)
    assert loaded.condition == loaded.data[1].ref_id
    assert loaded.data[1].model.expression == loaded.data[0].ref_id
    assert loaded.no_data_state in ("OK", "NoData", "Alerting", "KeepLast")
    assert loaded.exec_err_state in ("OK", "Error", "Alerting", "KeepLast")
    assert loaded.labels["severity"] in ("warning", "critical")
    assert loaded.annotations["summary"]
    assert loaded.annotations["description"]
    assert rule["dashboardUid"] == loaded.annotations["__dashboardUid__"] == BOARD["uid"]
    assert rule["panelId"] == int(loaded.annotations["__panelId__"]) in [panel["id"] for panel in BOARD["panels"]]
    # Grafana expands it in some of a rule's fields and not in others.
    assert "$" not in json.dumps(rule)


# The queries, as Grafana's role


@pytest.mark.parametrize("table", METADATA.tables)
@pytest.mark.parametrize("statement", ["INSERT INTO {} DEFAULT VALUES", "UPDATE {0} SET {1} = {1}", "DELETE FROM {}"])
def test_grafana_may_not_write(grafana, table, statement):
    column = METADATA.tables[table].columns.keys()[0]
    with pytest.raises(InsufficientPrivilege):
        grafana.execute(statement.format(table, column))


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_a_variable_offers_values_and_all_is_all_of_them(grafana, variable):
    assert variable["multi"]
    assert variable["includeAll"]
    answer = ask(grafana, variable["query"])
    assert list(answer.types.values()) == [TEXT]
    offered = {value for (value,) in answer.rows}
    assert len(offered) >= 2
    assert offered <= {value for (value,) in ask(grafana, variable["allValue"]).rows}


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_shows_what_its_format_needs(grafana, title):
    panel = PANELS[title]
    [query] = panel["targets"]
    answer = ask(grafana, expand(query["rawSql"], all_values()))
    assert answer.rows
    assert set(answer.types.values()) <= {TEXT, TIMESTAMP, *NUMBERS}
    for name in answer.types:
        assert any(value is not None for value in answer.column(name)), name
    if panel["type"] in ("timeseries", "state-timeline"):
        assert answer.of_type(TIMESTAMP) == ["time"]
        assert answer.column("time") == sorted(answer.column("time"))
        assert answer.of_type(*NUMBERS)
        assert {moment.astimezone(UTC).hour for moment in answer.column("time")} == {0}
        # One text column names the series; a table's is the day, for links.
        assert answer.of_type(TEXT) == (["metric"] if query["format"] == "time_series" else ["day"])
        keys = answer.column("time") if query["format"] == "table" else [row[:2] for row in answer.rows]
        assert len(set(keys)) == len(keys)
    if panel["type"] == "stat":
        field = panel["options"]["reduceOptions"]["fields"].strip("/^$")
        assert field in answer.types
        assert len(answer.rows) == 1


@pytest.mark.parametrize("title", PANELS)
def test_overrides_and_links_name_columns_that_there_are(grafana, title):
    panel = PANELS[title]
    [query] = panel["targets"]
    answer = ask(grafana, expand(query["rawSql"], all_values()))
    names = {*answer.types, *(answer.column("metric") if query["format"] == "time_series" else [])}
    assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= names
    linked = set(re.findall(r"\$\{__data\.fields\.(\w+)\}", json.dumps(panel["fieldConfig"])))
    assert linked <= set(answer.types)
    for day in linked and answer.column("day"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)


@pytest.mark.parametrize("title", [title for title in PANELS if "${" in PANELS[title]["targets"][0]["rawSql"]])
def test_choosing_one_version_and_column_shows_less(grafana, title):
    sql = PANELS[title]["targets"][0]["rawSql"]
    narrow = ask(grafana, expand(sql, {"version": "'1'", "column": "'GoalAmount'"}))
    wide = ask(grafana, expand(sql, {"version": "'1','2'", "column": "'GoalAmount','Category'"}))
    assert 0 < len(narrow.rows) < len(wide.rows) <= len(ask(grafana, expand(sql, all_values())).rows)
    assert not ask(grafana, expand(sql, {"version": "'none'", "column": "'none'"})).rows


@pytest.mark.parametrize("annotation", ANNOTATIONS.values(), ids=ANNOTATIONS)
def test_an_annotation_has_a_moment_and_words(grafana, annotation):
    answer = ask(grafana, expand(annotation["target"]["rawSql"], {}))
    assert answer.types == {"time": TIMESTAMP, "text": TEXT, "tags": TEXT}
    assert answer.rows
    assert all(all(row) for row in answer.rows)


def test_drift_is_red_on_the_drifted_days_alone(grafana, world):
    answer = ask(grafana, expand(PANELS["Drift by column"]["targets"][0]["rawSql"], all_values()))
    drifted = {
        (str(moment.astimezone(UTC).date()), column) for moment, column, value in answer.rows if value and value >= 1
    }
    amounts = {
        (day, column)
        for day, column in drifted
        if day <= str(world.days[6]) and column in ("GoalAmount", "RaisedAmount")
    }
    assert amounts == {(str(day), name) for day in world.days[5:7] for name in ("GoalAmount", "RaisedAmount")}


# The alerts

AS_THE_FIRST_CHAMPION_SAW_IT = "DELETE FROM champions WHERE version <> '1'"
BEFORE_THE_DRIFT = "DELETE FROM metrics WHERE day > (SELECT min(day) + 4 FROM metrics)"
CASES = {
    "drift-sustained": ([AS_THE_FIRST_CHAMPION_SAW_IT], [AS_THE_FIRST_CHAMPION_SAW_IT, BEFORE_THE_DRIFT]),
    "quality-dropped": ([AS_THE_FIRST_CHAMPION_SAW_IT], [AS_THE_FIRST_CHAMPION_SAW_IT, BEFORE_THE_DRIFT]),
    "awaiting-outcomes": (
        ["UPDATE metrics SET status = 'awaiting_outcomes' WHERE metric = 'retraining'"],
        ["UPDATE metrics SET status = 'called' WHERE metric = 'retraining'"],
    ),
    "nothing-scored": (["UPDATE scored SET scored_at = scored_at - interval '27 hours'"], []),
    "nothing-monitored": (["UPDATE monitored SET monitored_at = monitored_at - interval '27 hours'"], []),
    "quarantine-share": (["UPDATE scored SET rows_quarantined = rows_read / 10"], []),
    "day-incomplete": (["UPDATE metrics SET value = 1 WHERE metric = 'incomplete'"], []),
    "outcomes-unjoined": (["UPDATE metrics SET status = 'unjoined', value = 900 WHERE metric = 'unjoined'"], []),
    "run-failed": (["UPDATE schedules SET last_state = 'Failed' WHERE deployment = 'training/weekly'"], []),
    "no-run-upcoming": (["UPDATE schedules SET stalled_since = now() - interval '6 minutes', next_run = NULL"], []),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_answers_with_one_number_and_labels(grafana, name):
    """More numbers, or a moment, and Grafana would take the answer for something else than a value to compare."""
    answer = ask(grafana, RULES[name]["data"][0]["model"]["rawSql"])
    assert len(answer.of_type(*NUMBERS)) == 1
    assert len(answer.types) == 1 + len(answer.of_type(TEXT))
    assert answer.rows


@pytest.mark.parametrize("name", RULES)
def test_an_alert_fires_when_it_should(what_if, name):
    assert what_if(RULES[name], CASES[name][0])


@pytest.mark.parametrize("name", RULES)
def test_an_alert_is_quiet_in_a_calm_world(what_if, name):
    assert not what_if(RULES[name], CASES[name][1])


@pytest.mark.parametrize("name", RULES)
def test_an_alert_is_quiet_on_the_first_day(what_if, name):
    assert not what_if(RULES[name], [f"DELETE FROM {table}" for table in METADATA.tables])


@pytest.mark.parametrize("name", ["nothing-scored", "nothing-monitored"])
def test_flows_that_never_began_are_noticed_too(what_if, name):
    changes = {
        "nothing-scored": ["DELETE FROM scored", "UPDATE champions SET changed_at = changed_at - interval '27 hours'"],
        "nothing-monitored": ["DELETE FROM monitored", "UPDATE scored SET scored_at = scored_at - interval '27 hours'"],
    }
    assert what_if(RULES[name], changes[name])


def test_a_watchdog_that_is_silent_is_noticed(what_if):
    assert what_if(RULES["no-run-upcoming"], ["UPDATE schedules SET checked_at = now() - interval '16 minutes'"])


def test_one_drifted_day_is_not_sustained_drift(what_if):
    only_first = "DELETE FROM metrics WHERE day > (SELECT min(day) + 5 FROM metrics)"
    assert not what_if(RULES["drift-sustained"], [AS_THE_FIRST_CHAMPION_SAW_IT, only_first])


@pytest.mark.parametrize("title", PANELS)
def test_an_empty_database_is_no_error(filled, title):
    connection = psycopg2.connect(filled.set(drivername="postgresql").render_as_string(hide_password=False))
    with connection.cursor() as cursor:
        for table in METADATA.tables:
            cursor.execute(f"DELETE FROM {table}")
        ask(cursor, expand(PANELS[title]["targets"][0]["rawSql"], all_values()))
    connection.rollback()
    connection.close()
