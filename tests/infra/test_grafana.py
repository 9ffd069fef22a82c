"""Grafana cannot be run here, so this proves what can be: the files fit Grafana's types, and their SQL the database.

Every query runs as Grafana's role on the Postgres that one loop of the real flows has filled.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC

import psycopg2
import pytest
import sqlalchemy as sa
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard
from psycopg2.errors import InsufficientPrivilege

from infra.grafana.queries import everything
from infra.grafana.queries import expand as expand_on
from tasks.metrics_database import METADATA, database, schedules
from tests.infra.grafana_queries import (
    BOARD,
    GRAFANA,
    NUMBERS,
    TEXT,
    TIMESTAMP,
    ask,
    assert_side_by_side,
    changed,
    lost_options,
    provisioned,
    with_grafana_role,
)

SECTIONS = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
PANELS = {panel["title"]: panel for panel in BOARD["panels"] if "targets" in panel}  # those that ask the database
OVER_TIME = ("timeseries", "status-history")
SERIES = [title for title, panel in PANELS.items() if panel["type"] == "timeseries"]
TABLES = [title for title, panel in PANELS.items() if panel["type"] == "table"]
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
ANNOTATIONS = {
    annotation["name"]: annotation for annotation in BOARD["annotations"]["list"] if not annotation.get("builtIn")
}


[SOURCE] = provisioned("datasources/metrics.yaml")["datasources"]


def expand(sql: str, chosen: dict[str, str]) -> str:
    expanded = expand_on(sql, BOARD, chosen)
    assert "$" not in expanded
    return expanded


def all_values() -> dict[str, str]:
    return everything(BOARD)


@pytest.fixture(scope="module")
def filled(world, postgres) -> sa.URL:
    """The database of the played loop, as the URL of its owner."""
    url = with_grafana_role(postgres)
    with database(postgres).begin() as connection:
        write_calm_schedules(connection)
    return url


def write_calm_schedules(connection: sa.Connection) -> None:
    """The rows that the watchdog writes for a calm stack."""
    row = {"active": True, "next_run": sa.func.now(), "last_state": "Completed", "last_ended": sa.func.now()}
    connection.execute(sa.delete(schedules))
    for name in ("training/weekly", "batch-scoring/daily", "monitoring/daily"):
        connection.execute(sa.insert(schedules).values(deployment=name, checked_at=sa.func.now(), **row))


@pytest.fixture
def grafana(filled) -> Iterator:
    """A cursor of Grafana's role."""
    url = filled.set(username="grafana", password="tests")
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("grafana",)
        yield cursor
    connection.close()


# The files by themselves


def test_the_dashboard_loads_into_grafanas_types():
    register_default_plugins()
    loaded = dashboard.Dashboard.from_json(BOARD)
    assert [panel.type_val for panel in loaded.panels] == [panel["type"] for panel in BOARD["panels"]]
    for panel in loaded.panels:
        if panel.type_val not in ("row", "alertlist"):  # the library has no type for a list of alerts
            assert type(panel.options).__name__ == "Options"
    assert (loaded.uid, loaded.timezone, loaded.refresh) == ("campaign-model", "utc", "5m")
    assert (loaded.time.from_val, loaded.time.to) == ("now-30d", "now")
    kept = json.loads(JSONEncoder().encode(loaded))
    assert not [*lost_options(BOARD["panels"], kept["panels"]), *lost_options(BOARD["templating"], kept["templating"])]


def test_panels_lie_side_by_side_in_24_columns():
    assert_side_by_side(BOARD)


def test_sections_come_in_the_order_in_which_somebody_on_call_asks():
    assert SECTIONS == ["Now", "Drift", "Quality", "Data", "Runs"]
    heights = [panel["gridPos"]["y"] for panel in BOARD["panels"] if panel["type"] == "row"]
    assert heights == sorted(heights)


def test_four_lines_say_how_to_read_it_and_a_list_shows_what_fires():
    [text] = [panel for panel in BOARD["panels"] if panel["type"] == "text"]
    assert len(text["options"]["content"].splitlines()) == 4
    [alerts] = [panel for panel in BOARD["panels"] if panel["type"] == "alertlist"]
    shown = {state for state, is_shown in alerts["options"]["stateFilter"].items() if is_shown}
    assert {"firing", "pending", "error"} <= shown
    assert "normal" not in shown


def test_names_and_ids_are_unique():
    for names in (
        [panel["id"] for panel in BOARD["panels"]],
        [panel["title"] for panel in BOARD["panels"]],
        [variable["name"] for variable in BOARD["templating"]["list"]],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_explains_itself(title):
    panel, defaults = PANELS[title], PANELS[title]["fieldConfig"]["defaults"]
    assert panel["description"]
    assert defaults["noValue"]
    if panel["type"] in OVER_TIME:
        assert defaults["unit"]
        assert panel["options"]["legend"]["showLegend"]


def properties(panel: dict) -> dict[str, dict]:
    """What is said of each column or series by its name."""
    return {
        override["matcher"]["options"]: {each["id"]: each["value"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }


@pytest.mark.parametrize("title", SERIES)
def test_an_empty_legend_shows_a_dash(title):
    assert PANELS[title]["fieldConfig"]["defaults"]["noValue"] == "–"


@pytest.mark.parametrize("title", [title for title in SERIES if PANELS[title]["targets"][0]["format"] == "table"])
def test_every_series_has_a_colour_of_its_own(grafana, title):
    answer = ask(grafana, expand(PANELS[title]["targets"][0]["rawSql"], all_values()))
    drawn = [name for name in answer.types if name not in ("time", "day")]
    colours = [properties(PANELS[title])[name]["color"]["fixedColor"] for name in drawn]
    assert len(set(colours)) == len(colours)


def test_a_series_has_the_same_colour_on_every_panel():
    by_name: dict[str, set[str]] = {}
    for title in SERIES:
        for name, said in properties(PANELS[title]).items():
            if "color" in said:
                by_name.setdefault(name, set()).add(said["color"]["fixedColor"])
    assert {name: colours for name, colours in by_name.items() if len(colours) > 1} == {}


@pytest.mark.parametrize("title", ["ROC-AUC", "Accuracy"])
def test_quality_is_drawn_as_large_as_its_panel_and_not_rounded_to_one(title):
    defaults = PANELS[title]["fieldConfig"]["defaults"]
    assert "axisSoftMin" not in defaults["custom"]
    assert "min" not in defaults
    if title == "ROC-AUC":
        assert f"{0.9997:.{defaults['decimals']}f}" == "0.9997"


@pytest.mark.parametrize("title", ["Drift by column", "State by day"])
def test_a_cell_is_one_day_and_no_number_is_clipped_in_it(title):
    assert PANELS[title]["type"] == "status-history"
    assert PANELS[title]["options"]["showValue"] == "never"


def test_a_cell_of_drift_says_method_and_threshold():
    [link] = PANELS["Drift by column"]["fieldConfig"]["defaults"]["links"]
    assert "${__field.labels.method}" in link["title"]
    assert "${__field.labels.threshold}" in link["title"]


@pytest.mark.parametrize("title", ["Last scored", "Last monitored", "Quarantined, newest day", "Flows that failed"])
def test_what_is_not_known_is_not_green(title):
    steps = PANELS[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert (steps[0]["value"], steps[0]["color"]) == (None, "orange")
    assert (steps[1]["value"], steps[1]["color"]) == (0, "green")


@pytest.mark.parametrize("title", TABLES)
def test_an_empty_table_says_so_and_a_lacking_value_is_a_dash(title):
    assert PANELS[title]["fieldConfig"]["defaults"]["noValue"].endswith(".")
    assert properties(PANELS[title])["/.*/"] == {"noValue": "–"}
    assert PANELS[title]["fieldConfig"]["defaults"]["custom"]["filterable"] is False
    assert PANELS[title]["gridPos"]["w"] == 24


@pytest.mark.parametrize("title", TABLES)
def test_counts_and_moments_are_written_for_people(grafana, title):
    answer = ask(grafana, expand(PANELS[title]["targets"][0]["rawSql"], all_values()))
    said = properties(PANELS[title])
    assert {said[name]["unit"] for name in answer.of_type(TIMESTAMP)} <= {"dateTimeAsIso"}
    assert all({"unit", "decimals"} & said[name].keys() for name in answer.of_type(*NUMBERS))


def test_folders_that_grafana_looks_for_are_there():
    assert {folder.name for folder in (GRAFANA / "provisioning").iterdir()} == {
        "alerting", "dashboards", "datasources", "notifiers", "plugins",
    }  # fmt: skip


def test_everything_asks_the_one_data_source():
    uid = SOURCE["uid"]
    queries = [query for panel in PANELS.values() for query in (panel, *panel["targets"])]
    sources = [part["datasource"]["uid"] for part in (*queries, *VARIABLES.values(), *ANNOTATIONS.values())]
    assert set(sources) == {uid} == {"metrics"}


def test_the_data_source_is_the_read_only_role_on_the_metrics_database():
    assert SOURCE["type"] == "grafana-postgresql-datasource"
    assert (SOURCE["url"], SOURCE["user"], SOURCE["jsonData"]["database"]) == ("postgres:5432", "grafana", "metrics")
    assert "database" not in SOURCE
    assert SOURCE["secureJsonData"] == {"password": "$__file{/run/secrets/grafana-database-password}"}


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
    for name in answer.types.keys() - {"estimated"}:  # which gives way to what is realised
        assert any(value is not None for value in answer.column(name)), name
    if panel["type"] in OVER_TIME:
        assert answer.of_type(TIMESTAMP) == ["time"]
        assert answer.column("time") == sorted(answer.column("time"))
        assert len(answer.of_type(*NUMBERS)) == 1 or query["format"] == "table"
        assert {moment.astimezone(UTC).hour for moment in answer.column("time")} == {0}
        # One text column names the series, and others go along as its labels; a table's is the day, for links.
        texts = answer.of_type(TEXT)
        assert texts[0] == "metric" if query["format"] == "time_series" else texts == ["day"]
        keys = answer.column("time") if query["format"] == "table" else [row[:2] for row in answer.rows]
        assert len(set(keys)) == len(keys)
    if panel["type"] == "stat":
        fields = panel["options"]["reduceOptions"]["fields"].strip("/^()$").split("|")
        assert set(fields) <= answer.types.keys()
        assert len(answer.rows) == 1


@pytest.mark.parametrize("title", [title for title, panel in PANELS.items() if panel["type"] == "stat"])
def test_a_figure_of_a_day_says_of_which(grafana, title):
    answer = ask(grafana, expand(PANELS[title]["targets"][0]["rawSql"], all_values()))
    shown = re.compile(PANELS[title]["options"]["reduceOptions"]["fields"].strip("/"))
    assert "day" not in answer.types or shown.match("day")
    assert "hours" in answer.types or title == "Flows that failed" or any(
        re.search(r"\d{4}-\d\d-\d\d", str(value)) for row in answer.rows for value in row
    )  # fmt: skip


@pytest.mark.parametrize("title", PANELS)
def test_overrides_and_links_name_columns_that_there_are(grafana, title):
    panel = PANELS[title]
    [query] = panel["targets"]
    answer = ask(grafana, expand(query["rawSql"], all_values()))
    names = {*answer.types, *(answer.column("metric") if query["format"] == "time_series" else [])}
    named = [override["matcher"] for override in panel["fieldConfig"]["overrides"]]
    assert {matcher["options"] for matcher in named if matcher["id"] == "byName"} <= names
    linked = set(re.findall(r"\$\{__data\.fields\.(\w+)\}", json.dumps(panel["fieldConfig"])))
    assert linked <= set(answer.types)
    for day in linked and answer.column("day"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)


@pytest.mark.parametrize("title", [title for title in PANELS if "${" in PANELS[title]["targets"][0]["rawSql"]])
def test_choosing_one_version_and_column_shows_less(grafana, title):
    sql = PANELS[title]["targets"][0]["rawSql"]
    narrow = ask(grafana, expand(sql, {"version": "'1'", "column": "'Category'"}))
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
        (str(moment.astimezone(UTC).date()), column)
        for moment, column, *_, value in answer.rows
        if value and value >= 1
    }
    amounts = {
        (day, column)
        for day, column in drifted
        if day <= str(world.days[6]) and column in ("GoalAmount", "RaisedAmount")
    }
    assert amounts == {(str(day), name) for day in world.days[5:7] for name in ("GoalAmount", "RaisedAmount")}


@pytest.mark.parametrize("title", ["Drift by column", "State by day"])
def test_a_day_that_was_not_monitored_is_a_gap(filled, world, title):
    with changed(filled, [f"DELETE FROM metrics WHERE day = '{world.days[2]}'"]) as cursor:
        answer = ask(cursor, expand(PANELS[title]["targets"][0]["rawSql"], all_values()))
    values: dict[str, list] = {}
    for moment, *_, value in answer.rows:
        values.setdefault(str(moment.astimezone(UTC).date()), []).append(value)
    assert sorted(values) == [str(day) for day in world.days]
    assert set(values[str(world.days[2])]) == {None}
    assert None not in values[str(world.days[3])] or title == "State by day"


@pytest.mark.parametrize("title", ["ROC-AUC", "Accuracy"])
def test_an_estimate_stands_there_until_outcomes_come_if_it_is_to_be_trusted(filled, world, title):
    waiting, untrusted = world.days[3], world.days[5]  # of the drifted world many values are new to the model
    changes = [f"DELETE FROM metrics WHERE metric LIKE 'realised%' AND day IN ('{waiting}', '{untrusted}')"]
    with changed(filled, changes) as cursor:
        answer = ask(cursor, expand(PANELS[title]["targets"][0]["rawSql"], all_values()))
    estimated = dict(zip(answer.column("day"), answer.column("estimated"), strict=True))
    assert [day for day, value in estimated.items() if value is not None] == [str(waiting)]


@pytest.mark.parametrize("title", [title for title in PANELS if "metrics" in PANELS[title]["targets"][0]["rawSql"]])
def test_the_champions_panels_draw_nothing_of_the_shadow(filled, title):
    in_shadow = (
        "INSERT INTO metrics SELECT day, 'shadow', '99', metric, '', 9, 'ok', method, 9, computed_at FROM metrics "
        "WHERE source = 'batch' AND column_name = '' "
        "AND (metric LIKE 'realised%' OR metric LIKE 'test%' OR metric LIKE 'outcomes%' OR metric = 'rows_scored')"
    )
    sql = [expand(PANELS[title]["targets"][0]["rawSql"], all_values())]
    sql += [variable["query"] for variable in BOARD["templating"]["list"]]
    answers = []
    for changes in ([], [in_shadow]):
        with changed(filled, changes) as cursor:
            answers.append([sorted(ask(cursor, query).rows, key=str) for query in sql])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("title", PANELS)
def test_an_empty_database_is_no_error(filled, title):
    with changed(filled, [f"DELETE FROM {table}" for table in METADATA.tables]) as cursor:
        ask(cursor, expand(PANELS[title]["targets"][0]["rawSql"], all_values()))
