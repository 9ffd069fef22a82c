"""The dashboard and the rules of the web service, as far as neither Grafana nor Prometheus is needed for it.

`make e2e` evaluates every query on a real Prometheus, under requests that it counts itself.
"""

import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import alerting, dashboard
from prometheus_client.metrics import MetricWrapperBase

from deployments.web_service import prometheus
from tests.infra.grafana_queries import (
    GRAFANA,
    assert_runbook_is_there,
    assert_side_by_side,
    lost_options,
    provisioned,
)

ROOT = GRAFANA.parents[1]
BOARD = json.loads((GRAFANA / "dashboards" / "web-service.json").read_text())
SHOWN = {panel["title"]: panel for panel in BOARD["panels"] if panel["type"] not in ("row", "text")}
QUERIES = {f"{title} {query['refId']}": query for title, panel in SHOWN.items() for query in panel["targets"]}


[SOURCE] = provisioned("datasources/prometheus.yaml")["datasources"]
[GROUP] = provisioned("alerting/web-service.yaml")["groups"]
RULES = {rule["uid"].removeprefix("campaign-web-"): rule for rule in GROUP["rules"]}
EXPRESSIONS = {
    **{name: query["expr"] for name, query in QUERIES.items()},
    **{name: rule["data"][0]["model"]["expr"] for name, rule in RULES.items()},
    **{note["name"]: note["expr"] for note in BOARD["annotations"]["list"] if "expr" in note},
}


def exported() -> dict[str, set[str]]:
    """The labels of every series that Prometheus has of the web service, by its name."""
    metrics = [metric for metric in vars(prometheus).values() if isinstance(metric, MetricWrapperBase)]
    series = {"up": set[str]()}
    for metric in metrics:
        labels = set(metric._labelnames)
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}[metric._type]
        for ending in endings:
            series[metric._name + ending] = labels | ({"le"} if ending == "_bucket" else set())
    return series


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """The names of series that PromQL asks for, each with the labels that it chooses by."""
    found = re.findall(r"(\w+)\{([^}]*)\}", expression)
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", chosen))) for name, chosen in found]


def test_the_dashboard_loads_into_grafanas_types() -> None:
    register_default_plugins()
    loaded = dashboard.Dashboard.from_json(BOARD)
    assert loaded.panels
    kept = json.loads(JSONEncoder().encode(loaded))
    assert [panel["type"] for panel in kept["panels"]] == [panel["type"] for panel in BOARD["panels"]]
    assert lost_options(BOARD["panels"], kept["panels"]) == []
    assert (loaded.uid, loaded.title, loaded.timezone) == ("campaign-web", "Web service", "utc")


def test_panels_lie_side_by_side_in_24_columns() -> None:
    assert_side_by_side(BOARD)


def test_names_and_ids_are_unique_beside_those_of_the_other_dashboard() -> None:
    other = json.loads((GRAFANA / "dashboards" / "campaign-model.json").read_text())
    [others] = provisioned("alerting/rules.yaml")["groups"]
    for names in (
        [panel["id"] for panel in BOARD["panels"]],
        [panel["title"] for panel in BOARD["panels"]],
        [BOARD["uid"], other["uid"]],
        [GROUP["name"], others["name"]],
        [rule["uid"] for rule in (*GROUP["rules"], *others["rules"])],
        [rule["title"] for rule in (*GROUP["rules"], *others["rules"])],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("title", SHOWN)
def test_a_panel_explains_itself(title: str) -> None:
    panel, defaults = SHOWN[title], SHOWN[title]["fieldConfig"]["defaults"]
    assert panel["description"]
    assert defaults["noValue"] == "–"
    assert panel["datasource"]["uid"] == SOURCE["uid"] == "prometheus"
    assert all(query["datasource"]["uid"] == SOURCE["uid"] and query["legendFormat"] for query in panel["targets"])
    if panel["type"] == "timeseries":
        assert defaults["unit"]
        assert panel["options"]["legend"]["showLegend"]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_query_names_series_and_labels_that_the_service_exports(name: str) -> None:
    expression, series = EXPRESSIONS[name], exported()
    asked = selectors(expression)
    assert asked
    for metric, chosen in asked:
        assert metric in series, f"{metric} is not exported"
        assert chosen <= series[metric] | {"job"}, f"{metric} has no {chosen - series[metric] - {'job'}}"
        assert "job" in chosen
    grouped = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", expression) for label in by.split(",")}
    assert grouped <= set().union(*(series[metric] for metric, _ in asked))
    assert set(re.findall(r"\bcampaign_\w+", expression)) <= series.keys()
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("name", QUERIES)
def test_a_legend_names_labels_that_the_query_keeps(name: str) -> None:
    query = QUERIES[name]
    kept = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", query["expr"]) for label in by.split(",")}
    assert set(re.findall(r"\{\{(\w+)\}\}", query["legendFormat"])) <= kept


@pytest.mark.parametrize("name", QUERIES)
def test_a_rate_spans_several_scrapes(name: str) -> None:
    windows = re.findall(r"\[([^\]]+)\]", QUERIES[name]["expr"])
    assert set(windows) <= {"$__rate_interval", "5m"}
    assert SOURCE["jsonData"]["timeInterval"] == "15s"  # Grafana's rate interval is four of these at least


def test_every_metric_of_the_service_is_on_a_panel() -> None:
    asked = {name for expression in EXPRESSIONS.values() for name, _ in selectors(expression)}
    gauges_and_counters = {name for name in exported() if not name.endswith(("_sum", "_count"))}
    assert gauges_and_counters - asked == {"campaign_model_swaps_total"}  # the time since the last stands there


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_complete(rule: dict[str, Any]) -> None:
    loaded = alerting.Rule.from_json(rule)
    assert loaded.condition == loaded.data[1].ref_id
    assert loaded.data[1].model.expression == loaded.data[0].ref_id
    assert loaded.no_data_state in ("OK", "NoData", "Alerting", "KeepLast")
    assert loaded.exec_err_state in ("Error", "KeepLast")
    assert loaded.labels["severity"] in ("warning", "critical")
    assert rule["data"][0]["datasourceUid"] == rule["data"][0]["model"]["datasource"]["uid"] == SOURCE["uid"]
    assert rule["data"][0]["model"]["instant"] is True  # a range would be reduced to nothing by the comparison
    assert rule["dashboardUid"] == loaded.annotations["__dashboardUid__"] == BOARD["uid"]
    shown = {panel["id"] for panel in SHOWN.values()}
    assert rule["panelId"] == int(loaded.annotations["__panelId__"]) in shown
    assert "$" not in json.dumps(rule)  # Grafana expands it in some of a rule's fields and not in others


def test_one_rule_alone_tells_that_prometheus_cannot_be_asked() -> None:
    assert [name for name, rule in RULES.items() if rule["execErrState"] == "Error"] == ["down"]


def test_dashboards_and_alerts_share_a_folder() -> None:
    [provider] = provisioned("dashboards/campaign.yaml")["providers"]
    assert provider["folder"] == GROUP["folder"] == "Campaign"


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_says_where_it_is_written_what_to_do(rule: dict[str, Any]) -> None:
    assert_runbook_is_there(rule)


def filled(text: str, values: dict[str, float], labels: dict[str, str]) -> str:
    """A text as Grafana fills it, as far as rules make use of that: values that may be missing, printf, labels."""
    text = re.sub(
        r"\{\{ if \.Values\.(\w) \}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}",
        lambda match: match[2] if match[1] in values else match[3],
        text,
    )
    text = re.sub(r'\{\{ printf "(%\.\df)" \.Values\.(\w)\.Value \}\}', lambda match: match[1] % values[match[2]], text)
    return re.sub(r"\{\{ \.Labels\.(\w+) \}\}", lambda match: labels[match[1]], text)


TEXTS = {
    "down": (1.0, {}, "The web service does not answer Prometheus"),
    "not-ready": (1.0, {}, "The web service answers 503: it has no model"),
    "errors": (12.49, {}, "12 % of the web service's answers are errors"),
    "slow": (0.2345, {}, "One prediction in a hundred takes 0.23 s or longer"),
    "captures-dropped": (1234.2, {}, "1234 predictions were not captured"),
    "champion-refused": (1.0, {"version": "7"}, "The web service does not take version 7 into service"),
    "quota-used-up": (88.0, {}, "88 predictions were not kept: the day's quota is used up"),
}


@pytest.mark.parametrize("name", RULES)
def test_what_is_told_is_a_sentence_with_the_figure(name: str) -> None:
    value, labels, summary = TEXTS[name]
    annotations = RULES[name]["annotations"]
    assert filled(annotations["summary"], {"A": value}, labels) == summary
    grouped = re.findall(r"\bby \(([^)]*)\)", RULES[name]["data"][0]["model"]["expr"].split("histogram_quantile")[0])
    for text in (annotations["summary"], annotations["description"]):
        for known in ({"A": value}, {}):  # without a value too: the alert that nothing could be asked has none
            assert not re.search(r"[{}]|no value", filled(text, known, labels))
        assert set(re.findall(r"\.Labels\.(\w+)", text)) <= set(grouped)


@pytest.mark.parametrize(
    ("name", "value", "fires"),
    [
        ("down", 0, False), ("down", 1, True), ("not-ready", 0, False), ("not-ready", 1, True), ("errors", 5, False),
        ("errors", 5.1, True), ("slow", 0.1, False), ("slow", 0.11, True), ("captures-dropped", 0, False),
        ("captures-dropped", 1, True), ("champion-refused", 0, False), ("champion-refused", 1, True),
        ("quota-used-up", 0, False), ("quota-used-up", 1, True),
    ],
)  # fmt: skip
def test_a_rule_fires_above_its_limit(name: str, value: float, fires: bool) -> None:
    [condition] = RULES[name]["data"][1]["model"]["conditions"]
    assert condition["evaluator"]["type"] == "gt"
    assert (value > condition["evaluator"]["params"][0]) == fires


def test_what_is_said_of_memory_is_what_the_container_has() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    limit = SHOWN["Memory"]["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"]
    assert (services["web"]["mem_limit"], limit) == ("1g", 2**30)
