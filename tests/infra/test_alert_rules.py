"""Given these rows, this rule fires with this text: the rules' SQL on a real Postgres, as Grafana's role."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import alerting
from sqlalchemy.dialects import postgresql

from tasks.metrics_database import METADATA
from tests.infra.grafana_queries import (
    BOARD,
    NUMBERS,
    TEXT,
    ask,
    assert_runbook_is_there,
    changed,
    provisioned,
    with_grafana_role,
)

[GROUP] = provisioned("alerting/rules.yaml")["groups"]
RULES = {rule["uid"].removeprefix("campaign-"): rule for rule in GROUP["rules"]}
Row = tuple[str, dict[str, Any]]


# Rows as the flows and the watchdog write them


def before(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def day(ago: int) -> date:
    return before(days=ago).date()


def metric(name: str, ago: int, status: str = "ok", value: float | None = None, **more: Any) -> Row:
    columns = {"day": day(ago), "source": "batch", "model_version": "1", "computed_at": before(days=ago)}
    return "metrics", columns | {"metric": name, "status": status, "value": value} | more


def drift(ago: int, status: str, state: str | None = None, **more: Any) -> list[Row]:
    return [metric("day_drifted", ago, status, **more), metric("day_state", ago, state or status, **more)]


def champion(version: str = "1", hours: float = 200) -> Row:
    return "champions", {"changed_at": before(hours=hours), "version": version, "reason": "better"}


def scored(ago: int = 1, hours: float = 1, quarantined: int = 0) -> Row:
    counts = {"rows_read": 1000, "rows_scored": 1000 - quarantined, "rows_quarantined": quarantined}
    moment = {"scored_at": before(hours=hours)}
    return "scored", {"day": day(ago), "model_version": "1", "predicted_success": 400} | counts | moment


def monitored(hours: float) -> Row:
    moment = before(hours=hours)
    return "monitored", {"day": day(1), "source": "batch", "fingerprint": "", "monitored_at": moment}


def schedule(name: str, last_state: str | None = "Completed", stalled: float | None = None, checked: float = 1) -> Row:
    """`stalled` and `checked` are minutes ago."""
    row = {"deployment": name, "active": True, "last_state": last_state, "checked_at": before(minutes=checked)}
    return "schedules", row | {"stalled_since": None if stalled is None else before(minutes=stalled)}


# What fires, and with which texts


def rendered(text: str, labels: dict[str, str], value: float | None) -> str:
    """The few forms of Go's templates that the rules use. Without a value, as when the query fails."""
    known = value is not None
    text = re.sub(r"{{ if \.Values\.A }}(.*?){{ else }}(.*?){{ end }}", r"\1" if known else r"\2", text)
    text = re.sub(r"{{ \.Labels\.(\w+) }}", lambda found: labels[found[1]], text)
    text = re.sub(r'{{ printf "(%\.\df)" \.Values\.A\.Value }}', lambda found: found[1] % value, text)
    text = re.sub(r"{{ humanizePercentage \.Values\.A\.Value }}", lambda _: f"{100 * value:.4g}%", text)
    assert "{{" not in text
    return text


@pytest.fixture(scope="module")
def rules_database(postgres) -> sa.URL:
    return with_grafana_role(postgres)


@pytest.fixture
def firing(rules_database):
    """The summaries and descriptions of a rule's alerts that fire on some rows alone."""

    def fire(name: str, rows: list[Row]) -> list[tuple[str, str]]:
        rule = RULES[name]
        inserts = [sa.insert(METADATA.tables[table]).values(**columns) for table, columns in rows]
        dialect = postgresql.dialect()
        changes = [f"DELETE FROM {table}" for table in METADATA.tables]
        changes += [str(each.compile(dialect=dialect, compile_kwargs={"literal_binds": True})) for each in inserts]
        with changed(rules_database, [change.replace("%%", "%") for change in changes]) as cursor:
            answer = ask(cursor, rule["data"][0]["model"]["rawSql"])
        [number] = answer.of_type(*NUMBERS)
        [limit] = rule["data"][1]["model"]["conditions"][0]["evaluator"]["params"]
        texts, notes = answer.of_type(TEXT), rule["annotations"]
        fired = []
        for position, value in enumerate(answer.column(number)):
            labels = {text: answer.column(text)[position] for text in texts}
            if value > limit:
                fired.append(tuple(rendered(notes[note], labels, value) for note in ("summary", "description")))
        return fired

    return fire


VISITORS = {"source": "captured"}


def cases() -> dict[str, tuple[str, list[Row], list[str]]]:
    """Name of the rule, rows of this moment, and a part of summary or description of each alert that fires."""
    drifted, calm = drift(1, "drifted") + drift(2, "drifted"), drift(1, "ok") + drift(2, "ok") + drift(3, "ok")
    return {
        "drift on two of three days": ("drift-sustained", [champion(), *drifted, *drift(3, "ok")], ["2 of the last 3"]),
        "drift on all three": ("drift-sustained", [champion(), *drifted, *drift(3, "drifted")], ["3 of the last 3"]),
        "one drifted day is not sustained": (
            "drift-sustained",
            [champion(), *drift(1, "drifted"), *drift(2, "ok")],
            [],
        ),
        "the newest day is calm": ("drift-sustained", [champion(), *drift(0, "ok"), *drifted], []),
        "days of an earlier champion": ("drift-sustained", [champion(), champion("2", 1), *drifted], []),
        "drift that outcomes have shown to be harmless": (
            "drift-sustained",
            [
                champion(),
                *drift(1, "drifted", "drifted, quality holds"),
                *drift(2, "drifted", "drifted, quality holds"),
            ],
            [],
        ),
        "drifted days that have decayed": (
            "drift-sustained",
            [champion(), *drift(1, "drifted", "decayed"), *drift(2, "drifted")],
            ["2 of the last 3"],
        ),
        "a learnt day is passed over": (
            "drift-sustained",
            [champion(), *drift(0, "drifted", "learnt"), *drift(1, "ok"), *drift(2, "drifted")],
            [],
        ),
        "drift of an earlier version's metrics, without a state": (
            "drift-sustained",
            [champion(), metric("day_drifted", 1, "drifted"), metric("day_drifted", 2, "drifted")],
            ["2 of the last 3"],
        ),
        "visitors ask for other campaigns": (
            "captured-drift",
            [champion(), *calm, *drift(1, "drifted", **VISITORS), *drift(2, "drifted", **VISITORS)],
            ["calls for no retraining"],
        ),
        "visitors ask for the same": ("captured-drift", [champion(), *drifted, *drift(1, "ok", **VISITORS)], []),
        "ROC-AUC below its bar": (
            "quality-dropped",
            [champion(), metric("judged_roc_auc", 1, "decayed"), metric("judged_success_rate", 1)],
            ["In 1 of the last 3 judgements"],
        ),
        "a success rate that was not foretold": (
            "quality-dropped",
            [champion(), metric("judged_roc_auc", 1), metric("judged_success_rate", 1, "decayed")],
            ["In 1 of the last 3 judgements"],
        ),
        "the new champion is judged alone": (
            "quality-dropped",
            [
                champion(),
                champion("2", 1),
                metric("judged_roc_auc", 1, "decayed"),
                metric("judged_roc_auc", 0, model_version="2"),
            ],
            [],
        ),
        "a decay four judgements ago": (
            "quality-dropped",
            [champion(), metric("judged_roc_auc", 9, "decayed"), *(metric("judged_roc_auc", ago) for ago in (1, 2, 3))],
            [],
        ),
        "nothing to learn from": (
            "awaiting-outcomes",
            [metric("retraining", 1, "awaiting_outcomes"), metric("retraining", 2, "called")],
            ["nothing new to learn from"],
        ),
        "outcomes have come": (
            "awaiting-outcomes",
            [metric("retraining", 1, "called"), metric("retraining", 2, "awaiting_outcomes")],
            [],
        ),
        "nothing scored": (
            "nothing-scored",
            [champion(), scored(hours=44.79722850833333)],
            ["No day was scored for 45 hours"],
        ),
        "scored an hour ago": ("nothing-scored", [champion(), scored(hours=1), scored(ago=2, hours=90)], []),
        "scoring never began": ("nothing-scored", [champion(hours=30)], ["The last scoring was 30.0 hours ago"]),
        "nothing monitored": (
            "nothing-monitored",
            [monitored(27.04), scored(hours=50)],
            ["The last monitoring was 27.0 hours ago"],
        ),
        "monitored an hour ago": ("nothing-monitored", [monitored(1)], []),
        "monitoring never began": ("nothing-monitored", [scored(hours=27)], ["No day was monitored for 27 hours"]),
        "bad rows on two days": (
            "quarantine-share",
            [scored(1, quarantined=100), scored(2, quarantined=51), scored(3, quarantined=50)],
            [f"10% of the rows of {day(1)}", f"5.1% of the rows of {day(2)}"],
        ),
        "bad rows long ago": ("quarantine-share", [scored(9, hours=27, quarantined=900)], []),
        "two days of outcomes of no campaign": (
            "outcomes-unjoined",
            [metric("unjoined", 1, "unjoined", 900.0), metric("unjoined", 2, "unjoined", 800.0), metric("unjoined", 3)],
            [f"Most outcomes of {day(1)}", f"Most outcomes of {day(2)}"],
        ),
        "a few outcomes of no campaign": ("outcomes-unjoined", [metric("unjoined", 1, "ok", 9.0)], []),
        "two days with a damaged file": (
            "day-incomplete",
            [
                metric("incomplete", 1, "incomplete", 1.0),
                metric("incomplete", 2, "incomplete", 2.0),
                metric("incomplete", 3, "ok", 0.0),
            ],
            [f"A file of {day(1)}", f"A file of {day(2)}"],
        ),
        "two flows have failed": (
            "run-failed",
            [
                schedule("training/weekly", "Failed"),
                schedule("monitoring/daily", "Crashed"),
                schedule("batch-scoring/daily"),
                schedule("retention/daily", None),
            ],
            ["training/weekly did not", "monitoring/daily did not"],
        ),
        "one of the two is cured": (
            "run-failed",
            [schedule("training/weekly", "Failed"), schedule("monitoring/daily"), schedule("batch-scoring/daily")],
            ["training/weekly did not"],
        ),
        "somebody cancelled a run": ("run-failed", [schedule("training/weekly", "Cancelled")], []),
        "two schedules have stopped": (
            "no-run-upcoming",
            [
                schedule("training/weekly", stalled=6),
                schedule("monitoring/daily", stalled=60),
                schedule("traffic/daily"),
            ],
            ["The schedule of training/weekly", "The schedule of monitoring/daily"],
        ),
        "a schedule was changed a moment ago": ("no-run-upcoming", [schedule("training/weekly", stalled=4)], []),
        "the watchdog has stopped": (
            "watchdog-silent",
            [schedule("training/weekly", checked=16)],
            ["Nobody looks after runs and schedules"],
        ),
        "the watchdog looked a minute ago": ("watchdog-silent", [schedule("training/weekly")], []),
        "nothing was ever recorded": ("watchdog-silent", [], ["Nobody looks after runs and schedules"]),
    }


@pytest.mark.parametrize("case", cases())
def test_a_rule_fires_with_its_text(firing, case):
    name, rows, expected = cases()[case]
    alerts = [" ".join(texts) for texts in firing(name, rows)]
    assert len(alerts) == len(expected)
    for part in expected:
        assert [alert for alert in alerts if part in alert], alerts


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_case_in_which_it_fires(name):
    assert any(expected for rule, _, expected in cases().values() if rule == name)


@pytest.mark.parametrize("name", [name for name in RULES if name != "watchdog-silent"])
def test_an_empty_database_fires_nothing(firing, name):
    assert firing(name, []) == []


@pytest.mark.parametrize("name", ["nothing-scored", "nothing-monitored"])
def test_texts_read_well_when_the_database_is_away(name):
    notes = RULES[name]["annotations"]
    texts = [rendered(notes[note], {}, None) for note in ("summary", "description")]
    assert not re.search(r"\d+\.\d", " ".join(texts))
    if name == "nothing-scored":  # the rule that tells of it
        assert RULES[name]["execErrState"] == "Error"
        assert "database cannot be read" in texts[0]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_answers_with_one_number_and_labels(rules_database, name):
    """More numbers, or a moment, and Grafana would take the answer for something else than a value to compare."""
    connection = psycopg2.connect(rules_database.render_as_string(hide_password=False))
    with connection.cursor() as cursor:
        answer = ask(cursor, RULES[name]["data"][0]["model"]["rawSql"])
    connection.close()
    assert len(answer.of_type(*NUMBERS)) == 1
    assert len(answer.types) == 1 + len(answer.of_type(TEXT))


@pytest.mark.parametrize("name", RULES)
def test_what_has_a_row_for_each_thing_is_calm_without_rows(name):
    labels = re.findall(r"\.Labels\.", json.dumps(RULES[name]["annotations"]))
    assert not labels or RULES[name]["noDataState"] == "OK"


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_complete(rule):
    register_default_plugins()
    loaded = alerting.Rule.from_json(rule)
    assert loaded.condition == loaded.data[1].ref_id
    assert loaded.data[1].model.expression == loaded.data[0].ref_id
    assert rule["data"][0]["datasourceUid"] == "metrics"
    assert loaded.no_data_state in ("OK", "NoData", "Alerting", "KeepLast")
    assert loaded.exec_err_state in ("OK", "Error", "Alerting", "KeepLast")
    assert loaded.labels["severity"] in ("warning", "critical")
    assert rule["dashboardUid"] == loaded.annotations["__dashboardUid__"] == BOARD["uid"]
    assert rule["panelId"] == int(loaded.annotations["__panelId__"]) in [panel["id"] for panel in BOARD["panels"]]
    # Grafana expands it in some of a rule's fields and not in others.
    assert "$" not in json.dumps(rule)


@pytest.mark.parametrize("name", RULES)
def test_a_rules_runbook_is_a_heading_of_the_documentation(name):
    assert_runbook_is_there(RULES[name])


def test_rules_have_names_of_their_own():
    for names in ([rule["uid"] for rule in GROUP["rules"]], [rule["title"] for rule in GROUP["rules"]]):
        assert len(set(names)) == len(names)


def test_dashboard_and_alerts_share_a_folder():
    [provider] = provisioned("dashboards/campaign.yaml")["providers"]
    assert provider["folder"] == GROUP["folder"] == "Campaign"
    assert "folderUid" not in provider


def test_every_alert_reaches_the_webhook():
    [point] = provisioned("alerting/contact-points.yaml")["contactPoints"]
    [policy] = provisioned("alerting/policies.yaml")["policies"]
    assert policy["receiver"] == point["name"]
    assert [receiver["settings"]["url"] for receiver in point["receivers"]] == ["$GRAFANA_ALERT_WEBHOOK_URL"]
