"""The web service as Prometheus sees it, under requests that are counted here as well."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx
import yaml

from tests.e2e.stack import HOME, ROOT, Stack, check, until
from tests.e2e.web import CAMPAIGN, URL, change_champion, version

PROMETHEUS = "http://127.0.0.1:9090"
GRAFANA = ROOT / "infra" / "grafana"
BOARD = json.loads((GRAFANA / "dashboards" / "web-service.json").read_text())
RULES = yaml.safe_load((GRAFANA / "provisioning" / "alerting" / "web-service.yaml").read_text())["groups"][0]["rules"]
SCRAPES = 60  # seconds in which the last counts are surely scraped
LOAD_SECONDS = 75
KEY = "of-the-tests-and-of-prometheus"
JSON = {"content-type": "application/json"}
UNKNOWN = CAMPAIGN | {"category": "Never seen"}
# What a client asks, in turn: the route and the status that it is counted under.
ASKED: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("POST", "/predict", {"json": CAMPAIGN}, "/predict", "200"),
    ("POST", "/predict", {"json": UNKNOWN}, "/predict", "200"),
    ("POST", "/predict", {"json": {}}, "/predict", "422"),
    ("POST", "/predict", {"json": CAMPAIGN, "headers": {"host": "evil.example"}}, "/predict", "403"),
    (
        "POST",
        "/predict",
        {"content": b" " * 70_000, "headers": {"content-type": "application/json"}},
        "/predict",
        "413",
    ),
    ("POST", "/predict/batch", {"json": [CAMPAIGN, UNKNOWN, {}]}, "/predict/batch", "200"),
    ("POST", "/explain", {"json": CAMPAIGN}, "/explain", "200"),
    ("GET", "/model", {}, "/model", "200"),
    ("GET", "/no-such-page", {}, "none", "404"),
    ("GET", "/model", {"headers": {"host": "evil.example"}}, "none", "403"),
]
# Of one such turn.
PREDICTIONS, UNKNOWN_VALUES, BAD_ROWS = 4, 2, 1
STATS = {"Web service": 1, "Model": 1, "Registry": 0, "Refused champions": 0}  # while all is well


@dataclass
class Load:
    """What was asked, by route and status, and how long each prediction of one campaign took."""

    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    turns: int = 0
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    @contextmanager
    def going_on(self, clients: int = 2) -> Iterator[None]:
        """Clients ask in turn while something else is done."""
        ended, lock = threading.Event(), threading.Lock()

        def ask() -> None:
            with httpx.Client(base_url=URL, timeout=30) as client:
                while not ended.is_set():
                    for method, path, said, route, status in ASKED:
                        began = time.monotonic()
                        answered = str(client.request(method, path, **said).status_code)
                        with lock:
                            self.asked[route, answered] += 1
                            if answered != status:
                                self.wrong.append(f"{method} {path}: {answered} and not {status}")
                            if (route, status) == ("/predict", "200"):
                                self.seconds.append(time.monotonic() - began)
                    with lock:
                        self.turns += 1
                    time.sleep(0.05)

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def query(expression: str) -> list[dict[str, Any]]:
    """The vector that a PromQL expression gives now: labels and value. Raises `Failure` for an error or a warning."""
    answer = httpx.get(f"{PROMETHEUS}/api/v1/query", params={"query": expression}, timeout=30).json()
    check(answer["status"] == "success" and not answer.get("warnings"), f"{expression}: {answer}")
    data = answer["data"]
    check(data["resultType"] == "vector", f"{expression} gives a {data['resultType']}")
    return [{**sample["metric"], "value": float(sample["value"][1])} for sample in data["result"]]


def number(expression: str) -> float:
    """Its one value."""
    answer = query(expression)
    check(len(answer) == 1, f"{expression} gives {answer}")
    return float(answer[0]["value"])


def counted() -> Counter[tuple[str, str]]:
    """Answers by route and status of the routes that the clients here alone ask."""
    routes = {route for *_, route, _ in ASKED}
    return Counter({
        (sample["route"], sample["status"]): int(sample["value"])
        for sample in query('campaign_requests_total{job="web"}') if sample["route"] in routes
    })  # fmt: skip


def expressions() -> dict[str, list[tuple[str, str]]]:
    """The legend and PromQL of each panel's queries, by its title."""
    return {
        panel["title"]: [(target["legendFormat"], target["expr"]) for target in panel["targets"]]
        for panel in BOARD["panels"]
        if panel.get("targets")
    }


def target_is_healthy(stack: Stack) -> str:
    def targets() -> list[dict[str, Any]]:
        active: list[dict[str, Any]] = httpx.get(f"{PROMETHEUS}/api/v1/targets").json()["data"]["activeTargets"]
        return active

    until(lambda: [target["health"] for target in targets()] == ["up"], SCRAPES, "the web service to be scraped")
    check(targets()[0]["scrapeUrl"] == "http://web:8000/metrics", targets())
    check(number('up{job="web"}') == 1, "up is not 1")
    kept = httpx.get(f"{PROMETHEUS}/api/v1/status/runtimeinfo").json()["data"]["storageRetention"]
    check(kept == "15d", f"figures are kept for {kept}")
    series = query('{job="web"}')
    return f"up, {len(series)} series, kept for {kept}"


def it_is_reached_by_nobody_else(stack: Stack) -> str:
    """It asks for no login: so no service but Grafana is in its network, and it reaches the web service alone."""
    asking = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).status)"
    strangers = ("worker", "training-worker", "traffic-worker", "mlflow", "prefect-server", "watchdog")
    for service in strangers:
        said = stack.compose("exec", "-T", service, "python", "-c", asking, "http://prometheus:9090/-/ready", ok=False)
        check("200" not in said, f"{service} reaches Prometheus")
    said = stack.compose("exec", "-T", "web", "python", "-c", asking, "http://prometheus:9090/-/ready")
    check("200" in said, "Prometheus does not answer in its own network: that nobody reaches it shows nothing")

    def reached(service: str, port_and_path: str) -> bool:
        """By any of its addresses, for a name is no fence."""
        wget = ("exec", "-T", "prometheus", "timeout", "4", "wget", "-qO-")
        return any(
            stack.compose(*wget, f"http://{address}:{port_and_path}", ok=False) for address in addresses(stack, service)
        )

    check(reached("web", "8000/healthz"), "Prometheus does not reach the web service")
    others = {"mlflow": "5000/health", "prefect-server": "4200/api/health", "object-store": "7070/_health"}
    for service, there in others.items():
        check(not reached(service, there), f"Prometheus reaches {service}")
    return f"{len(strangers)} services do not reach it"


def addresses(stack: Stack, service: str) -> list[str]:
    """In each of its networks."""
    container = stack.compose("ps", "-q", service).strip()
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    return stack.command("docker", "inspect", "-f", form, container).split()


def counts_are_what_was_asked(stack: Stack) -> str:
    """Through a roll-back and a promotion, exactly; then every query of dashboard and rules, on those figures."""
    until(lambda: version() == "2", 30, "version 2 in service")
    before, swaps, load = settled(), number("campaign_model_swaps_total"), Load()
    captured = number("campaign_captured_total")
    with load.going_on():
        for to in ("1", "2"):
            change_champion(stack, to)
        time.sleep(max(0.0, load.began + LOAD_SECONDS - time.time()))
    check(not load.wrong, load.wrong[:3])
    until(lambda: (counted() - before).total() >= load.asked.total(), SCRAPES, "the last answers to be scraped")
    seen = counted() - before
    check(seen == load.asked, f"asked were {load.asked}, and counted are {seen}")
    check(number("campaign_model_swaps_total") == swaps + 2, "the changes of champion are not counted")
    kept = load.turns * PREDICTIONS
    until(lambda: number("campaign_captured_total") == captured + kept, SCRAPES, f"{kept} captured predictions")
    asked = check_panels(load, "2")
    check_rules()
    return (
        f"{load.asked.total():,} requests by {len(load.asked)} routes and statuses, all counted; {asked} queries of "
        f"{len(expressions())} panels and {len(RULES)} rules; p50 {1000 * quantile_of(0.5, load):.2f} ms"
    )


def settled() -> Counter[tuple[str, str]]:
    """The counts before anything is asked, once what was asked earlier is scraped."""
    last = counted()
    while True:
        time.sleep(20)  # a scrape more
        if (now := counted()) == last:
            return now
        last = now


def window_of(load: Load) -> int:
    """Seconds from before the load until now: a rate over it is what was asked, whenever within it that was."""
    return int(time.time() - load.began) + 30


def filled_in(expression: str, window: int) -> str:
    """As Grafana sends it, over that window."""
    return re.sub(r"\$__rate_interval|(?<=\[)5m(?=\])", f"{window}s", expression)


def quantile_of(share: float, load: Load) -> float:
    by = 'job="web",route="/predict"'
    return number(
        f"histogram_quantile({share}, sum by (le) (rate(campaign_request_seconds_bucket{{{by}}}[{window_of(load)}s])))"
    )


def check_panels(load: Load, champion: str) -> int:
    """Raises `Failure` for a query of the dashboard that is wrong or says something else than what was asked."""
    window, answers, asked = window_of(load), dict[str, dict[str, float]](), 0
    for title, queries in expressions().items():
        answers[title] = {}
        for legend, expression in queries:
            asked += 1
            for sample in query(filled_in(expression, window)):
                name = re.sub(r"\{\{(\w+)\}\}", lambda match, of=sample: of[match[1]], legend)
                answers[title][name] = sample["value"]
        check(bool(answers[title]), f"{title} shows nothing")
    by_route, by_status = Counter[str](), Counter[str]()
    for (route, status), times in load.asked.items():
        by_route[route] += times
        by_status[status] += times
    refused = {status: times for status, times in by_status.items() if status != "200"}
    expected: dict[str, dict[str, int]] = {
        "Requests by route": by_route,
        "Requests by status": by_status,
        "Refused, by status": refused,
        "Predictions by outcome": {"both": load.turns * PREDICTIONS},
        "Values that the model does not know": {
            "Category": load.turns * UNKNOWN_VALUES, "bad rows": load.turns * BAD_ROWS,
        },
        "Captured, dropped, over quota": {"captured": load.turns * PREDICTIONS, "dropped": 0, "over quota": 0},
    }  # fmt: skip
    answers["Predictions by outcome"]["both"] = sum(answers["Predictions by outcome"].values())
    for title, wanted in expected.items():
        for name, times in wanted.items():
            shown = answers[title].get(name, 0.0) * window
            # Prometheus stretches what it saw to the ends of the window, a scrape interval at most on each side.
            check(
                0.95 * times - 1 <= shown <= 1.2 * times + 1, f"{title}: {name} is {shown:.0f}, and {times} were asked"
            )
    for title in ("Time to answer one campaign", "Time to answer a table"):
        p50, p95, p99 = (answers[title][name] for name in ("p50", "p95", "p99"))
        check(0 < p50 <= p95 <= p99 < 5, f"{title}: {answers[title]}")
    check(
        answers["Time to answer one campaign"]["p50"] <= median(load.seconds), "the service is slower than its clients"
    )
    stats = {title: next(iter(answers[title].values())) for title in STATS}
    check(stats == STATS, stats)
    check(list(answers["Version"]) == [champion], answers["Version"])
    [errors] = answers["Errors"].values()
    check(errors == 0, f"{errors} % errors")
    check(all(rate == 0 for rate in answers["Errors by route"].values()), answers["Errors by route"])
    [since], [age] = answers["In service for"].values(), answers["Age of the model"].values()
    check(0 < since <= window and since < age < 86_400, f"in service for {since} s, trained {age} s ago")
    [resident], [lag] = answers["Memory"].values(), answers["Event-loop lag"].values()
    check(1e8 < resident < 1 << 30 and 0 <= lag < 10, f"{resident:,.0f} bytes, lag {lag} s")
    return asked


def rule_values() -> dict[str, float]:
    """What each rule compares with its limit, the largest of its alerts; those without any are left out."""
    answers = {rule["uid"].removeprefix("campaign-web-"): query(rule["data"][0]["model"]["expr"]) for rule in RULES}
    return {name: max(sample["value"] for sample in answer) for name, answer in answers.items() if answer}


def firing() -> set[str]:
    limits = {rule["uid"].removeprefix("campaign-web-"): rule["data"][1]["model"]["conditions"][0] for rule in RULES}
    return {name for name, value in rule_values().items() if value > limits[name]["evaluator"]["params"][0]}


def check_rules() -> None:
    """Raises `Failure` for a rule whose query is wrong, or that fires in a calm world."""
    silent = {rule["uid"].removeprefix("campaign-web-") for rule in RULES} - rule_values().keys()
    check(silent <= {"champion-refused"}, f"{', '.join(sorted(silent))} has nothing to compare")
    loud = firing() - {"slow"}  # how fast it is on this machine, while champions change, is no fault
    check(not loud, f"{', '.join(sorted(loud))} would alert: {rule_values()}")


def an_outage_is_noticed(stack: Stack) -> str:
    stack.compose("stop", "web")
    began = time.monotonic()
    try:
        until(lambda: firing() - {"slow"} == {"down"}, SCRAPES, "the rule of an outage, and no other, to fire")
        seconds = time.monotonic() - began
    finally:
        stack.compose("start", "web")
    until(lambda: not firing() - {"slow"}, SCRAPES, "the rule to be quiet again")
    until(lambda: version() == "2", 30, "version 2 in service")
    return f"seen after {seconds:.0f} s, and over when it was back"


def a_key_is_asked_for(stack: Stack) -> str:
    """Keys are set: strangers get 401, Prometheus sends the one that `make up` gave it."""
    env = HOME / "env"
    before = env.read_text()
    metrics = f"{URL}/metrics"
    check(httpx.get(metrics).status_code == 200, "metrics are closed although there are no keys")
    env.write_text(f"{before}CAMPAIGN_API_KEYS={KEY},another-of-sixteen-or-more\n")
    stack.make("up")
    try:
        statuses = [
            httpx.get(metrics, headers=headers).status_code
            for headers in ({}, {"x-api-key": "not-the-key-that-is-set"}, {"x-api-key": KEY}, {"host": "evil.example"})
        ]
        check(statuses == [401, 401, 200, 403], f"nobody, a wrong key, a right one, another name: {statuses}")
        held = stack.compose("exec", "-T", "prometheus", "cat", "/run/secrets/prometheus-web-key")
        check(held == KEY, "Prometheus does not hold the first key")
        time.sleep(20)  # a scrape with it
        target_is_healthy(stack)
    finally:
        env.write_text(before)
        stack.make("up")
    until(lambda: number('up{job="web"}') == 1, SCRAPES, "the web service to be scraped without a key")
    return "401 for whoever has none; Prometheus scrapes with its own"


STEPS = [
    ("Prometheus scrapes the web service", target_is_healthy),
    ("who reaches Prometheus, and whom it reaches", it_is_reached_by_nobody_else),
    ("counts, panels and rules under requests", counts_are_what_was_asked),
    ("the web service is away, and Prometheus says so", an_outage_is_noticed),
    ("metrics with keys", a_key_is_asked_for),
]
