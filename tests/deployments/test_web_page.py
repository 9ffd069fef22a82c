"""The marketer's page in a real browser, on the real service. Skipped only where there is no Chromium at all."""

import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, expect, sync_playwright
from sklearn.ensemble import RandomForestClassifier
from web_world import process

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import QUANTILES, ScoringModel
from campaign.reading import read_campaigns
from campaign.schema import LABEL
from campaign.schema_file import parse_schema
from tests.published import CATEGORIES, FEATURES, KNOWN_CATEGORIES, LAUNCH, SCHEMA, SCHEMAS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine (apt install chromium)")

expect.set_options(timeout=20_000)
FIELDS = [column.name.lower() for column in FEATURES]
LEAKS = "`RaisedAmount` against `GoalAmount` decides the label by itself."


# A service with a model that knows what decides, and a browser


def bundle(folder: Path, feature_set: str = "published") -> Path:
    """What `campaign champion export` writes."""
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(6_000, seed=3)), folder / "a.parquet")
    batch = next(read_campaigns(str(folder / "a.parquet"), SCHEMAS[feature_set], label=True))
    seen = KNOWN_CATEGORIES
    encoder = Encoder.fit(SCHEMAS[feature_set].features, seen)
    forest = RandomForestClassifier(20, max_features=None, random_state=1).fit(encoder.encode(batch), batch.label)
    about = {
        "trained_at": "2026-11-20T10:00:00+00:00",
        "metrics": {"roc_auc": 0.9993 if feature_set == "published" else 0.5012},
        "leaks": [LEAKS] if feature_set == "published" else [],
    }
    ScoringModel(
        SCHEMAS[feature_set].name, "?", SCHEMAS[feature_set], encoder, Forest.from_sklearn(forest), about
    ).save(folder / "bundle")
    (folder / "bundle" / "version.txt").write_text("7\n")
    return folder / "bundle"


@contextmanager
def serving(folder: Path, ready: str = "/readyz", **settings: str) -> Iterator[str]:
    """The address of the service with the bundle in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        with process(folder / "bundle", folder / "home", ready=ready) as (_, address):
            yield address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    bundle(folder)
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def visiting(
    browser: Browser, address: str, refusals: bool = False, width: int = 1440, **options: Any
) -> Iterator[Page]:
    """A page of a browser that was never here, closed in the end."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    with watched(page, address, refusals):
        yield page
        context.close()


@contextmanager
def watched(page: Page, address: str, refusals: bool = False) -> Iterator[Page]:
    """A page that may talk to its own origin only and whose console has to stay empty.

    With `refusals`, Chromium's own notes of answers that are none, and of requests that failed, are no error.
    """
    asked: list[str] = []
    wrong: list[str] = []
    listeners: dict[Any, Any] = {
        "request": lambda request: asked.append(request.url),
        "pageerror": lambda error: wrong.append(str(error)),
        "console": lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield page
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert [url for url in asked if not url.startswith((f"{address}/", f"blob:{address}/"))] == []
    noted = "Failed to load resource" if refusals else "\0"
    assert [message for message in wrong if noted not in message] == []


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("#verdict")).not_to_have_text("One moment")
    return page


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """What most tests open the page in: to start Chromium's processes for each of them takes longer than to test."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        yield context.new_page()


@pytest.fixture
def fresh(tab: Page, site: str) -> Iterator[Page]:
    yield tab
    tab.unroute_all(behavior="ignoreErrors")
    tab.goto(f"{site}/healthz")


@pytest.fixture
def page(fresh: Page, site: str) -> Iterator[Page]:
    with watched(fresh, site):
        yield opened(fresh, site)


@pytest.fixture
def refusing(fresh: Page, site: str) -> Iterator[Page]:
    """A page that is going to be refused something."""
    with watched(fresh, site, refusals=True):
        yield opened(fresh, site)


def typed(page: Page, **values: Any) -> dict[str, Any]:
    """Enter values; gives what the service answers to the last of them."""
    with page.expect_response(lambda response: asks(response.request, values) and response.ok) as answer:
        for field, value in values.items():
            page.locator(f"#{field}").fill(str(value))
    return answer.value.json()


def asks(request: Any, values: dict[str, Any]) -> bool:
    return request.url.endswith("/explain") and values.items() <= request.post_data_json.items()


def asked_in(answer: Any) -> dict[str, Any]:
    return answer.value.request.post_data_json


def percent(probability: float) -> str:
    return "<1%" if probability < 0.005 else ">99%" if probability >= 0.995 else f"{int(probability * 100 + 0.5)}%"


def width_of(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["width"]


def no_wider_than_the_screen(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


# One campaign


def test_the_chance_is_there_before_anything_is_touched(browser: Browser, site: str) -> None:
    with visiting(browser, site) as page:
        with page.expect_response("**/explain") as answer:
            page.goto(site)
        explanation = answer.value.json()
        expect(page.locator("#probability")).to_have_text(percent(explanation["probability"]))
        goal, raised = (asked_in(answer)[name] for name in ("goalamount", "raisedamount"))
        assert raised > 1.2 * goal
        expect(page.locator("#verdict")).to_have_text("Almost certain to reach its goal")
        expect(page.locator("footer")).to_contain_text("version 7")
        expect(page.locator("footer")).to_contain_text("November 20, 2026")
        expect(page.locator("footer")).to_contain_text(
            "of two campaigns of which one did reach its goal, it gives that one the higher chance 99.9 times in 100; "
            "a coin would 50 times (ROC-AUC 0.9993 on test campaigns)"
        )
        expect(page.locator("footer")).to_contain_text(LEAKS.replace("`", ""))
        assert sorted(answer.value.request.post_data_json or {}) == sorted(FIELDS)


def test_the_chance_follows_a_slider_and_so_do_its_number_and_the_curves(page: Page) -> None:
    typed(page, goalamount=50_000, raisedamount=20_000)
    expect(page.locator("#verdict")).to_have_text("Almost certain to fall short")
    before = page.locator("#curves path.line").evaluate_all("lines => lines.map((line) => line.getAttribute('d'))")
    dot = page.locator("#curves .present").first.get_attribute("cx")
    page.get_by_role("slider", name="Goal amount").focus()
    page.keyboard.press("Home")
    expect(page.locator("#verdict")).to_have_text("Almost certain to reach its goal")
    expect(page.locator("#probability")).to_have_text(">99%")
    expect(page.get_by_label("Goal amount", exact=True)).to_have_value("1,000")
    expect(page.locator("#position")).to_contain_text("$20,000 raised towards a goal of $1,000")
    after = page.locator("#curves path.line").evaluate_all("lines => lines.map((line) => line.getAttribute('d'))")
    assert len(before) == len(after) == 2
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert page.locator("#curves .present").first.get_attribute("cx") != dot


AS_PEOPLE_WRITE = {
    "250000": 250_000, "1,250.5": 1250.5, "20.000": 20_000, "19000,5": 19_000.5, " 1 000 000 ": 1_000_000,
    "$20,500": 20_500, "21k": 21_000, "1.5 m EUR": 1_500_000, "EUR 22.000": 22_000, "£ 1,25 K": 1_250,
}  # fmt: skip


def test_a_number_may_be_typed_as_people_write_it_and_lie_beyond_the_slider(page: Page) -> None:
    for text, meant in AS_PEOPLE_WRITE.items():
        expect_to_be_read_as(page, text, meant)


def expect_to_be_read_as(page: Page, text: str, meant: float) -> None:
    with page.expect_response(lambda response: asks(response.request, {"raisedamount": meant})) as answer:
        page.locator("#raisedamount").fill(text)
    assert answer.value.ok
    page.locator("#raisedamount").blur()
    expect(page.locator("#raisedamount")).to_have_value(f"{meant:,}".removesuffix(".0"))
    place = page.locator("#raisedamount-slider").evaluate("slider => slider.valueAsNumber / slider.max")
    assert place == pytest.approx(min(meant / 150_000, 1), abs=0.01)
    outside = page.get_by_text("What it learnt from: 500 to 149,999.")
    expect(outside).to_be_visible(visible=meant > 149_999)


def test_choices_are_sent_under_their_own_names(page: Page) -> None:
    wanted = {"category": "Games", "launchmonth": "August", "country": "UK", "currency": "GBP", "videoincluded": "No"}
    with page.expect_response(lambda response: asks(response.request, wanted)) as answer:
        page.get_by_label("Category").select_option("Games")
        page.get_by_label("Launch month").select_option("August")
        page.get_by_label("Country").select_option("UK")
        page.get_by_label("Currency").select_option("GBP")
        page.get_by_role("switch", name="Video included").uncheck()
    assert answer.value.ok


def test_amounts_are_shown_in_the_currency_that_was_chosen(page: Page) -> None:
    typed(page, goalamount=40_000, raisedamount=30_000)
    page.get_by_label("Currency").select_option("EUR")
    expect(page.locator("#position")).to_have_text(
        "€30,000 raised towards a goal of €40,000, 75% of it. €10,000 to go."
    )
    expect(page.locator(".money .unit")).to_have_text(["EUR", "EUR"])
    expect(page.get_by_role("slider", name="Goal amount")).to_have_attribute("aria-valuetext", "€40,000")
    expect(page.locator("#curves .axis").first).to_have_text("Goal amount (EUR)")
    expect(page.locator("#drivers ol")).to_contain_text("€30,000")


def test_with_nothing_raised_the_page_says_that_it_cannot_tell(page: Page) -> None:
    notice = page.locator("#unknowable")
    typed(page, raisedamount=100)
    expect(notice).to_be_hidden()
    typed(page, raisedamount=0)
    expect(notice).to_be_visible()
    expect(notice).to_contain_text("With nothing raised yet, this model cannot tell.")
    expect(page.locator("#verdict")).to_have_text("Cannot tell yet")
    expect(page.locator("#probability")).to_have_text("–")
    expect(page.get_by_role("status").filter(has_text="cannot tell")).to_be_attached()


def test_where_the_model_contradicts_the_amounts_the_page_says_which_is_exact(page: Page) -> None:
    inexact = page.get_by_text("it is not exact here")
    typed(page, goalamount=20_000, raisedamount=90_000)
    expect(page.locator("#position")).to_have_text(re.compile("450% of it. The goal is met.$"))
    page.route("**/explain", lambda route: answer_with(route, probability=0.45))
    typed(page, raisedamount=90_001)
    expect(page.locator("#verdict")).to_have_text("The goal is met")
    expect(inexact).to_be_visible()


GOALS_AND_RAISED = [
    (1_000, 1_100), (1_000, 1_000), (1_000, 999), (1_000, 0), (99_999, 99_999), (99_999, 100_000), (99_999, 99_000),
    (0, 0), (0, 500), (5_000_000, 4_999_999), (5_000_000, 5_000_000), (20_000, 149_999),
]  # fmt: skip


def test_the_page_contradicts_no_fact_in_large_type(page: Page) -> None:
    for goal, raised in GOALS_AND_RAISED:
        expect_no_contradiction(page, goal, raised)


def expect_no_contradiction(page: Page, goal: int, raised: int) -> None:
    typed(page, goalamount=goal, raisedamount=raised)
    expect(page.locator("#position")).to_contain_text("The goal is met." if raised >= goal else "to go.")
    verdict = page.locator("#verdict")
    if raised >= goal:
        expect(verdict).to_have_text(re.compile("reach its goal$|The goal is met|Outside what|Cannot tell|either way"))
        expect(verdict).not_to_have_text(re.compile("Unlikely"))
    else:
        expect(verdict).to_have_text(re.compile("fall short|The goal is not met|Outside what|Cannot tell|either way"))
    outside = not (1_000 <= goal <= 99_999 and (500 <= raised <= 149_999))
    size = page.locator("#probability").evaluate("figure => parseFloat(getComputedStyle(figure).fontSize)")
    assert (size < 40) == (outside or page.locator("#verdict").inner_text().startswith("The goal"))


def answer_with(route: Route, **values: Any) -> None:
    response = route.fetch()
    route.fulfill(response=response, json=response.json() | values)


def test_what_drives_the_prediction_adds_up_to_it(page: Page) -> None:
    explanation = typed(page, goalamount=30_000, raisedamount=29_000)
    expect(page.locator("#drivers .sum")).to_contain_text(f"{explanation['probability'] * 100:.1f}%.")
    rows = page.locator("#drivers li")
    expect(rows).to_have_count(len(FEATURES))
    shown = [float(text.replace("−", "-")) for text in page.locator("#drivers .points").evaluate_all(
        "all => all.map((one) => one.firstChild.textContent)")]  # fmt: skip
    assert explanation["baseline"] * 100 + sum(shown) == pytest.approx(explanation["probability"] * 100, abs=0.6)
    sent = {share["field"]: share["contribution"] * 100 for share in explanation["contributions"]}
    assert shown[0] == pytest.approx(sent["raisedamount"], abs=0.051)
    expect(rows.first).to_contain_text("Raised amount $29,000")
    bars = rows.first.locator(".track i")
    expect(bars).to_have_class("lowers" if sent["raisedamount"] < 0 else "raises")
    assert width_of(bars) > 20


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(page: Page) -> None:
    held: list[Route] = []
    page.route("**/explain", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request(lambda request: asks(request, {"raisedamount": 1_000})):
        page.locator("#raisedamount").fill("1000")
    while not held:
        page.wait_for_timeout(10)
    typed(page, raisedamount=100_000)
    expect(page.locator("#probability")).to_have_text(">99%")
    with page.expect_event("requestfinished", lambda request: asks(request, {"raisedamount": 1_000})):
        held[0].continue_()
    # Two frames and a task later whatever the page does with that answer is done.
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )
    expect(page.locator("#probability")).to_have_text(">99%")
    expect(page.locator("#verdict")).to_have_text("Almost certain to reach its goal")


def test_start_over_brings_the_first_campaign_back(page: Page) -> None:
    first = [page.locator("#raisedamount").input_value(), page.locator("#probability").inner_text()]
    typed(page, raisedamount=77_000)
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#raisedamount")).to_have_value(first[0])
    expect(page.locator("#probability")).to_have_text(first[1])


# What-if curves


def test_a_curve_is_read_and_tried_by_keyboard(page: Page) -> None:
    explanation = typed(page, goalamount=30_000, raisedamount=29_000)
    [curve] = [curve for curve in explanation["curves"] if curve["field"] == "raisedamount"]
    figure = page.locator("figure", has_text="If another amount were raised")
    expect(figure.locator(".read")).to_have_text(f"Now: {percent(explanation['probability'])} at $29,000")
    picture = figure.get_by_role("img")
    expect(picture).to_have_attribute("aria-label", re.compile(r"raised amount: <1% at \$0, it rises above even at"))
    picture.focus()
    page.keyboard.press("End")
    last = f"{percent(curve['probability'][-1])} at ${curve['x'][-1]:,.0f}"
    expect(figure.locator(".read")).to_have_text(last)
    expect(figure.locator(".cross")).to_have_attribute("visibility", "visible")
    page.keyboard.press("ArrowLeft")
    expect(figure.locator(".read")).to_have_text(f"{percent(curve['probability'][-2])} at ${curve['x'][-2]:,.0f}")
    page.keyboard.press("Escape")
    expect(figure.locator(".read")).to_contain_text("Now: ")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#raisedamount")).to_have_value(f"{curve['x'][-1]:,.0f}")
    expect(page.locator("#verdict")).to_have_text("Almost certain to reach its goal")


def test_a_curve_is_read_and_tried_with_the_pointer(page: Page) -> None:
    typed(page, goalamount=30_000, raisedamount=29_000)
    figure = page.locator("figure", has_text="If the goal were another")
    picture = figure.get_by_role("img")
    picture.hover(position={"x": width_of(picture) - 20, "y": 80})
    expect(figure.locator(".read")).to_have_text(re.compile(r"^<1% at \$\d\d,\d{3}$"))
    expect(figure.locator(".cross")).to_have_attribute("visibility", "visible")
    picture.click(position={"x": 46, "y": 80})
    expect(page.locator("#verdict")).to_have_text("Outside what the model has seen")
    assert float(page.locator("#goalamount").input_value().replace(",", "")) < 2_000
    page.mouse.move(0, 0)
    expect(figure.locator(".read")).to_contain_text("Now: ")
    expect(figure.locator(".cross")).to_have_attribute("visibility", "hidden")


def test_a_curve_is_there_as_a_table(page: Page) -> None:
    explanation = typed(page, goalamount=30_000, raisedamount=29_000)
    figure = page.locator("figure", has_text="If the goal were another")
    figure.get_by_text("As a table").click()
    expect(figure.get_by_role("row", name="$30,000 (now)")).to_contain_text(percent(explanation["probability"]))
    expect(figure.get_by_role("row").nth(1)).to_have_text("$0>99%")


# When something is wrong


def test_a_value_that_physics_rules_out_is_told_next_to_its_field(refusing: Page) -> None:
    refusing.locator("#durationdays").fill("0")
    fault = refusing.locator("#durationdays-fault")
    expect(fault).to_have_text("Duration is not more than 0.")
    expect(refusing.locator("#durationdays")).to_have_attribute("aria-invalid", "true")
    expect(refusing.get_by_role("alert").filter(has_text="Put the marked field right")).to_be_visible()
    typed(refusing, durationdays=12)
    expect(fault).to_be_hidden()
    expect(refusing.locator("#durationdays")).not_to_have_attribute("aria-invalid", "true")
    expect(refusing.locator("#trouble")).to_be_hidden()


@pytest.mark.parametrize(("text", "fault"), [("abc", "Goal amount is not a number."), ("", "Goal amount is missing.")])
def test_what_is_no_number_is_told_at_once_and_not_sent(page: Page, text: str, fault: str) -> None:
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request.url))
    page.locator("#goalamount").fill(text)
    expect(page.locator("#goalamount-fault")).to_have_text(fault)
    expect(page.locator("#trouble")).to_be_visible()
    assert sent == []
    typed(page, goalamount=9_000)
    expect(page.locator("#goalamount-fault")).to_be_hidden()
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_service_that_is_away_is_told_in_words_and_asked_again(refusing: Page) -> None:
    away = re.compile("/(explain|predict/batch)$")
    refusing.route(away, lambda route: route.abort())
    refusing.locator("#goalamount").fill("9000")
    expect(refusing.locator("#trouble")).to_contain_text("The service cannot be reached.")
    refusing.locator("#file").set_input_files([file_of("a.csv", b"any")])
    expect(refusing.locator("#refused")).to_have_text("The service cannot be reached.")
    refusing.unroute(away)
    with refusing.expect_response(lambda response: asks(response.request, {"goalamount": 9_000})):
        refusing.get_by_role("button", name="Try again").click()
    expect(refusing.locator("#trouble")).to_be_hidden()
    expect(refusing.locator("#verdict")).to_have_text("Almost certain to reach its goal")


def test_a_service_without_a_model_is_asked_again_when_it_says(browser: Browser, site: str) -> None:
    answers = [{"status": 503, "headers": {"Retry-After": "1"}, "json": {"detail": "There is no champion yet."}}]
    with visiting(browser, site, refusals=True) as page:
        page.route("**/model", lambda route: route.fulfill(**answers.pop()) if answers else route.continue_())
        page.goto(site)
        expect(page.get_by_role("alert")).to_contain_text("The service has no model to answer with yet.")
        expect(page.get_by_role("alert")).to_contain_text("There is no champion yet.")
        expect(page.locator("#probability")).to_contain_text("%")
        expect(page.locator("#trouble")).to_be_hidden()


def test_a_new_champion_is_named_as_soon_as_it_answers(page: Page) -> None:
    def promoted(route: Route) -> None:
        response = route.fetch()
        key = "model_version" if route.request.url.endswith("/explain") else "version"
        route.fulfill(response=response, json=response.json() | {key: "8"})

    page.route("**/explain", promoted)
    page.route("**/model", promoted)
    typed(page, goalamount=9_000)
    expect(page.locator("footer")).to_contain_text("version 8")
    page.locator("#goalamount").blur()
    expect(page.locator("#goalamount")).to_have_value("9,000")


def test_a_column_that_the_schema_gains_is_asked_for_without_a_change_here(browser: Browser, site: str) -> None:
    def grown(route: Route) -> None:
        response = route.fetch()
        more = {"field": "numrewards", "name": "NumRewards", "meaning": "rewards on offer", "unit": "rewards",
                "low": 0, "high": 40, "start": 20, "seen": None, "kind": "number", "role": "", "nullable": False,
                "known": "at launch", "categories": []}  # fmt: skip
        body = response.json()
        grown = {name: [*body[name], more] for name in ("features", "asked")}
        route.fulfill(response=response, json=body | grown)

    with visiting(browser, site) as page:
        page.route("**/model", grown)
        with page.expect_request("**/explain") as asked:
            opened(page, site)
        assert asks(asked.value, {"numrewards": 20})
        expect(page.get_by_label("Rewards", exact=True)).to_have_value("20")
        expect(page.get_by_text("rewards on offer")).to_be_visible()


# Other people's campaigns

MAILINGS = """
[model]
name = "mailings"
title = "Who will subscribe?"
[outcome]
column = "y"
success = ["yes"]
failure = ["no"]
decide = { gain = 100, cost = 6 }
noun = "mailing"
yes = "bring a subscriber"
no = "bring none"
[[column]]
name = "CustomerAge"
source = "age"
type = "number"
known = "at launch"
unit = "years"
[[column]]
name = "Opened"
type = "number"
known = "at launch"
nullable = true
[[column]]
name = "Job"
type = "category"
known = "at launch"
[[column]]
name = "Weekday"
type = "number"
known = "at launch"
derive = { weekday = "sent" }
[[column]]
name = "City"
type = "category"
known = "at launch"
[[column]]
name = "SubjectLength"
type = "number"
known = "at launch"
derive = { length = "subject" }
"""
CITIES = tuple(f"{name} {number}" for name in ("Berg", "Stadt") for number in range(30))


@pytest.fixture(scope="module")
def mailings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose model knows that the young subscribe, three in a hundred of all."""
    folder, schema = tmp_path_factory.mktemp("mailings"), parse_schema(MAILINGS)
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(18, 80, 4_000), rng.integers(0, 9, 4_000), rng.integers(0, 2, 4_000),
                         rng.integers(0, 7, 4_000), rng.integers(0, 60, 4_000),
                         rng.integers(5, 60, 4_000)]).astype(np.float32)  # fmt: skip
    y = (rng.random(4_000) < np.where(X[:, 0] < 24, 0.3, 0.01)).astype(int)
    forest = RandomForestClassifier(20, max_depth=3, max_features=None, random_state=1).fit(X, y)
    quantiles = {
        name: [float(q) for q in np.quantile(X[:, at], QUANTILES)]
        for at, name in ((0, "CustomerAge"), (1, "Opened"), (3, "Weekday"), (5, "SubjectLength"))
    }
    columns: dict[str, Any] = {name: {"quantiles": of_name, "missing": 0} for name, of_name in quantiles.items()}
    columns["Job"] = {"categories": {"admin": 10, "student": 90}, "missing": 0}
    columns["City"] = {"categories": {name: 1 + (name == "Stadt 7") for name in CITIES}, "missing": 0}
    encoder = Encoder(schema.features, {"Job": ("admin", "student"), "City": CITIES})
    about = {
        "metrics": {"roc_auc": 0.81, "later_roc_auc": 0.78},
        "leaks": [],
        "base_rate": float(y.mean()),
        "trained_at": "2026-11-20T10:00:00+00:00",
    }
    model = ScoringModel("mailings", "?", schema, encoder, Forest.from_sklearn(forest), about, 0.06, columns)
    model.save(folder / "bundle")
    (folder / "bundle" / "version.txt").write_text("1")
    with serving(folder) as address:
        yield address


def test_the_words_fields_and_curves_are_those_of_the_models_schema(browser: Browser, mailings: str) -> None:
    with visiting(browser, mailings) as page:
        opened(page, mailings)
        expect(page).to_have_title("Who will subscribe?")
        expect(page.get_by_role("heading", level=1)).to_have_text("Who will subscribe?")
        expect(page.locator("footer")).to_contain_text("(ROC-AUC 0.7800 on the latest mailings)")
        expect(page.get_by_label("Job")).to_have_value("student")  # the most frequent
        expect(page.get_by_label("Sent")).to_have_attribute("type", "date")  # its hour does not count
        expect(page.get_by_label("Subject", exact=True)).to_have_value("An example mailing")
        expect(page.locator("#curves figcaption").first).to_have_text("If customer age were another")
        expect(page.locator("#curves figure")).to_have_count(2)
        expect(page.locator("#drivers li")).to_have_count(6)
        text = page.locator("body").inner_text().lower()
        assert not re.search("goal|raised|crowdfunding|campaign", text), text


def test_one_of_a_long_list_is_found_by_a_part_of_its_name(browser: Browser, mailings: str) -> None:
    with visiting(browser, mailings) as page:
        opened(page, mailings)
        city = page.get_by_label("City")
        expect(city).to_have_value("Stadt 7")
        expect(page.locator("#city-list option")).to_have_count(60)
        city.fill("berg 2")
        expect(page.locator("#city-fault")).to_be_hidden()  # as texts are, whatever the case
        city.fill("Stadt")
        expect(page.locator("#city-fault")).to_have_text("City has 30 that match; choose one.")
        expect(page.locator("#trouble")).to_contain_text("Put the marked field right")
        city.fill("tadt 19")
        with page.expect_response(lambda response: asks(response.request, {"city": "Stadt 19"})):
            city.blur()
        expect(city).to_have_value("Stadt 19")


def test_a_text_or_a_date_that_is_needed_is_asked_for(browser: Browser, mailings: str) -> None:
    with visiting(browser, mailings) as page:
        opened(page, mailings)
        for name in ("Subject", "Sent"):
            before = page.get_by_label(name, exact=True).input_value()
            page.get_by_label(name, exact=True).fill("")
            expect(page.locator(f"#{name.lower()}-fault")).to_have_text(f"{name} is missing.")
            page.get_by_label(name, exact=True).fill(before)
            expect(page.locator(f"#{name.lower()}-fault")).to_be_hidden()


def test_where_success_is_rare_the_verdict_follows_the_usual_rate_and_what_it_pays_to_act_on(
    browser: Browser, mailings: str
) -> None:
    with visiting(browser, mailings) as page:
        opened(page, mailings)
        typed(page, age=20)
        expect(page.locator("#verdict")).to_have_text("Likely enough to bring a subscriber")
        typed(page, age=60)
        expect(page.locator("#verdict")).to_have_text("Less likely than usual to bring a subscriber")
        expect(page.locator("#probability")).to_have_text(re.compile(r"^\d\.\d%$"))
        expect(page.locator("#knows")).to_contain_text("Of a hundred mailings it learnt from")


def test_a_fact_that_may_be_missing_may_be_left_out(browser: Browser, mailings: str) -> None:
    with visiting(browser, mailings) as page:
        opened(page, mailings)
        with page.expect_response(lambda response: asks(response.request, {"opened": None})) as answer:
            page.get_by_label("Opened", exact=True).fill("")
        assert answer.value.ok
        expect(page.locator("#drivers ol")).to_contain_text("Opened not given")


def test_a_value_that_training_never_saw_leads_the_verdict(browser: Browser, mailings: str) -> None:
    with visiting(browser, mailings) as page:
        opened(page, mailings)
        typed(page, age=17)
        expect(page.locator("#verdict")).to_have_text("Outside what the model has seen")
        expect(page.locator("#position")).to_contain_text("never saw such a value of customer age")


# Many campaigns


@pytest.fixture(scope="module")
def campaigns(folder: Path) -> pd.DataFrame:
    """Campaigns of which two are bad, with a column that the model does not ask for and awkward text in it."""
    frame = pa.Table.from_batches(synthetic.campaigns(40, seed=8)).to_pandas().drop(columns=LABEL)
    frame = frame.astype(dict.fromkeys(CATEGORIES, "str") | {"NumBackers": "Int64"})
    frame["Title"] = [f'No. {n}, the "best"\nof them' for n in range(len(frame))]
    frame.loc[3, "NumBackers"] = None
    frame.loc[5, "RaisedAmount"] *= -1
    return frame


def as_file(frame: pd.DataFrame, kind: str) -> FilePayload:
    buffer = io.BytesIO()
    if kind == "csv":
        frame.to_csv(buffer, index=False)
    else:
        frame.to_parquet(buffer, index=False)
    return file_of(f"autumn.{kind}", buffer.getvalue())


def file_of(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": content}


def expected_of(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    """What the model says of the rows, NaN for bad ones."""
    frame.to_parquet(folder / "expected.parquet", index=False)
    batch = next(read_campaigns(str(folder / "expected.parquet"), SCHEMA))
    return np.where(batch.good, ScoringModel.load(folder / "bundle", "7").probabilities_of(batch), np.nan)


def check_scored(page: Page, frame: pd.DataFrame, folder: Path) -> None:
    """The counts on the page and the table that it hands out are the model's."""
    expected = expected_of(frame, folder)
    counts = [str((expected > 0.5).sum()), str((expected <= 0.5).sum()), str(np.isnan(expected).sum())]
    expect(page.locator(".counts dd")).to_have_text(counts)
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download the scored table ({len(frame)} rows)").click()
    assert download.value.suggested_filename == "autumn-scored.csv"
    got = pd.read_csv(download.value.path())
    np.testing.assert_allclose(got["probability"], expected, rtol=0, atol=1e-12)
    assert got["CampaignID"].tolist() == frame["CampaignID"].tolist()
    assert got["Title"].tolist() == frame["Title"].tolist()
    good = got[got["error"].isna()]
    assert (good["success"].astype(str).str.lower() == "true").tolist() == (good["probability"] > 0.5).tolist()
    assert set(good["model_version"].astype(int)) == {7}
    assert got.loc[[3, 5], "error"].tolist() == ["NumBackers is missing", "RaisedAmount is negative"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_comes_back_scored(page: Page, campaigns: pd.DataFrame, folder: Path, kind: str) -> None:
    page.get_by_label("Choose a table").set_input_files([as_file(campaigns, kind)])
    check_scored(page, campaigns, folder)
    first, second = (5, 7) if kind == "csv" else (4, 6)  # a spreadsheet counts the line of names as a row
    expect(page.locator("#rejected li")).to_have_text(
        [f"Row {first}: NumBackers is missing", f"Row {second}: RaisedAmount is negative"]
    )
    expect(page.locator("#strange")).to_be_hidden()


def test_values_that_the_model_never_met_are_named_and_counted(page: Page, campaigns: pd.DataFrame) -> None:
    strange = campaigns.drop(index=[3, 5]).reset_index(drop=True)
    strange.loc[[0, 2], "Category"] = "Cooking"
    strange.loc[1, "Country"] = "Narnia"
    page.locator("#file").set_input_files([as_file(strange, "csv")])
    expect(page.locator("#strange")).to_contain_text("Category: Cooking (2 rows). Country: Narnia (1 row).")


def test_a_service_without_a_model_says_so_to_people_and_more_to_whoever_runs_it(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path, "/healthz") as address, visiting(browser, address, refusals=True) as page:
        page.goto(address)
        expect(page.get_by_text("The service has no model to answer with yet.")).to_be_visible()
        expect(page.locator("#trouble details p")).to_be_hidden()
        page.get_by_text("For whoever runs the service").click()
        expect(page.locator("#trouble details p")).to_be_visible()
        assert str(tmp_path) not in page.locator("body").inner_text()
        page.screenshot(path=str(tmp_path / "no-model.png"), full_page=True)


def test_a_table_may_be_dropped(page: Page, campaigns: pd.DataFrame, folder: Path) -> None:
    text = as_file(campaigns, "csv")["buffer"].decode()
    dropped = page.evaluate_handle(
        "(text) => { const all = new DataTransfer(); all.items.add(new File([text], 'autumn.csv')); return all; }", text
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": dropped})
    check_scored(page, campaigns, folder)


def test_a_second_table_takes_the_place_of_the_first(page: Page, campaigns: pd.DataFrame, folder: Path) -> None:
    page.locator("#file").set_input_files([as_file(campaigns, "csv")])
    expect(page.locator("#rejected")).to_be_visible()
    good = campaigns.drop(index=[3, 5]).reset_index(drop=True)
    page.locator("#file").set_input_files([as_file(good, "csv")])
    expect(page.locator(".counts dd").last).to_have_text("0")
    expect(page.locator("#rejected")).to_be_hidden()


@pytest.mark.parametrize(
    ("file", "refusal"),
    [
        (
            file_of("a.csv", b"Goal,RaisedAmount\n1,2\n"),
            "^This is not a table of campaigns: columns GoalAmount,",
        ),
        (file_of("a.parquet", b"nothing of the kind"), "^This is not a table of campaigns"),
        (file_of("a.xlsx", b"PK"), "a.xlsx is neither CSV nor Parquet"),
    ],
    ids=["a column is missing", "no Parquet", "a spreadsheet"],
)
def test_a_table_that_cannot_be_read_is_refused_in_words(refusing: Page, file: FilePayload, refusal: str) -> None:
    refusing.locator("#file").set_input_files([file])
    expect(refusing.locator("#refused")).to_have_text(re.compile(refusal))
    expect(refusing.locator("#scored")).to_be_hidden()


def test_more_campaigns_than_are_allowed_are_refused_in_words(refusing: Page, campaigns: pd.DataFrame) -> None:
    many = pd.concat([campaigns.drop(index=[3, 5])] * 270)
    refusing.locator("#file").set_input_files([as_file(many, "parquet")])
    expect(refusing.locator("#refused")).to_contain_text("more than 10,000 campaigns")


def test_the_template_is_a_table_that_the_page_takes(page: Page) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name="template (CSV)").click()
    text = download.value.path().read_bytes()
    assert pd.read_csv(io.BytesIO(text)).columns.tolist() == ["CampaignID", *(column.name for column in FEATURES)]
    page.locator("#file").set_input_files([file_of("template.csv", text)])
    expect(page.get_by_role("link", name="Download the scored table (1 row)")).to_be_visible()
    expect(page.locator(".counts dd").last).to_have_text("0")


# Keys


def test_where_a_key_is_needed_the_page_asks_for_it_and_keeps_it_for_the_tab(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "bundle", tmp_path / "bundle")
    with (
        serving(tmp_path, CAMPAIGN_API_KEYS="other-0123456789a,right-0123456789a") as address,
        visiting(browser, address, refusals=True) as page,
    ):
        page.goto(address)
        field = page.get_by_label("This service asks for an API key.")
        field.fill("wrong")
        field.press("Enter")
        expect(page.get_by_text("That key was not accepted.")).to_be_visible()
        field.fill("right-0123456789a")
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator("#probability")).to_contain_text("%")
        expect(field).to_be_hidden()
        page.locator("#file").set_input_files([as_file(table_of_one(), "csv")])
        expect(page.locator(".counts")).to_be_visible()
        opened(page, address)  # again, without being asked
        expect(field).to_be_hidden()


def table_of_one() -> pd.DataFrame:
    return pa.Table.from_batches(synthetic.campaigns(1)).to_pandas()


# A model of what is known at launch


def test_a_model_that_knows_nothing_says_so(browser: Browser, tmp_path: Path) -> None:
    bundle(tmp_path, "launch")
    with (
        serving(tmp_path, CAMPAIGN_MODEL=LAUNCH.name) as address,
        visiting(browser, address) as page,
    ):
        opened(page, address)
        expect(page.get_by_text("This model cannot tell.")).to_be_visible()
        expect(page.locator("#verdict")).to_have_text("Cannot tell")
        expect(page.locator("#unknowable")).to_contain_text("ROC-AUC 0.50, where 0.50 is a coin")
        expect(page.locator("figure")).to_have_count(1)
        expect(page.locator("#drivers li")).to_have_count(9)
        expect(page.locator("#raisedamount")).to_have_count(0)


# For everybody


@pytest.mark.parametrize("width", [320, 375, 768, 1040, 1440])
def test_nothing_is_wider_than_the_screen(browser: Browser, site: str, campaigns: pd.DataFrame, width: int) -> None:
    with visiting(browser, site, width=width) as page:
        opened(page, site)
        assert no_wider_than_the_screen(page)
        typed(page, goalamount=123_456_789_012, raisedamount=0)
        page.locator("#file").set_input_files([as_file(campaigns, "csv")])
        page.locator("#curves summary").first.click()
        page.locator("#drivers summary").click()
        expect(page.locator("#scored")).to_be_visible()
        assert no_wider_than_the_screen(page)


def test_the_chance_stays_in_sight_on_a_phone(browser: Browser, site: str) -> None:
    with visiting(browser, site, width=375) as page:
        opened(page, site)
        page.locator("#numupdates").scroll_into_view_if_needed()
        expect(page.locator("#probability")).to_be_in_viewport()
        page.get_by_role("heading", name="What drives this prediction").scroll_into_view_if_needed()
        expect(page.locator("#probability")).to_be_in_viewport()


def test_everything_is_reached_by_tab_and_nothing_holds_the_focus(page: Page) -> None:
    here = "(() => { const one = document.activeElement; return one.id || one.tagName.toLowerCase(); })()"
    met: list[str] = []
    while not met or (met[-1] != "body" and len(met) < 60):
        page.keyboard.press("Tab")
        met.append(page.evaluate(here))
    controls = page.locator("#facts :is(input, select)").evaluate_all("all => all.map((one) => one.id)")
    assert {*FIELDS} <= {*controls}
    assert [control for control in met if control in controls] == controls
    assert met.count("svg") == 2
    assert {"file", "template", "button", "summary"} <= {*met}


def test_the_form_is_filled_by_keyboard_alone(page: Page) -> None:
    page.locator("#goalamount").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("30000")
    page.keyboard.press("Tab")
    with page.expect_response(lambda response: asks(response.request, {"goalamount": 30_100})):
        page.keyboard.press("ArrowRight")
    page.get_by_role("switch", name="Video included").focus()
    with page.expect_response(lambda response: asks(response.request, {"videoincluded": "No"})):
        page.keyboard.press("Space")
    page.get_by_label("Category").focus()
    with page.expect_response(lambda response: asks(response.request, {"category": "Film"})):
        page.keyboard.press("ArrowDown")


def test_every_control_has_a_name_and_every_image_a_text(page: Page) -> None:
    unnamed = """all => all.filter((one) => !(one.getAttribute("aria-label") || [...(one.labels ?? [])].some((label) =>
        label.textContent.trim()) || one.textContent.trim())).map((one) => one.outerHTML)"""
    assert page.locator("input, select, button, a, svg, summary").evaluate_all(unnamed) == []
    ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len({*ids})
    pointed = page.locator("[aria-describedby]").evaluate_all(
        "all => all.flatMap((one) => one.getAttribute('aria-describedby').split(' '))"
    )
    assert {*pointed} <= {*ids}


def test_a_screen_reader_is_told_once_things_have_come_to_rest(page: Page) -> None:
    explanation = typed(page, goalamount=30_000, raisedamount=90_000)
    announced = page.get_by_role("status").filter(has_text="%")
    expect(announced).to_have_text(f"{percent(explanation['probability'])}. Almost certain to reach its goal.")


CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const under = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !one.checkVisibility() || one.closest("noscript")) continue;
    const style = getComputedStyle(one);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const [a, b] = [light(parse(one.namespaceURI.endsWith("svg") ? style.fill : style.color)), light(under(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push({ text: walk.currentNode.textContent.trim().slice(0, 40), ratio, enough: ratio >= (large ? 3 : 4.5) });
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Browser, site: str, campaigns: pd.DataFrame, scheme: Any) -> None:
    with visiting(browser, site, refusals=True, color_scheme=scheme) as page:
        opened(page, site)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) > 380) is (scheme == "light")
        typed(page, raisedamount=0)
        page.locator("#file").set_input_files([as_file(campaigns, "csv")])
        expect(page.locator("#scored")).to_be_visible()
        texts = page.evaluate(CONTRASTS)
        assert len(texts) > 100
        assert [text for text in texts if not text["enough"]] == []
        page.locator("#durationdays").fill("0")
        expect(page.locator("#durationdays-fault")).to_be_visible()
        shown = [
            text for text in page.evaluate(CONTRASTS) if "Duration is not" in text["text"] or "Put the" in text["text"]
        ]
        assert [text["enough"] for text in shown] == [True, True]


def test_nothing_moves_for_those_who_asked_for_that(browser: Browser, site: str) -> None:
    moving = """() => [...document.querySelectorAll("*")].some((one) =>
        parseFloat(getComputedStyle(one).transitionDuration) > 0 || getComputedStyle(one).animationName !== "none")"""
    with visiting(browser, site, reduced_motion="reduce") as page:
        assert opened(page, site).evaluate(moving) is False
    with visiting(browser, site, reduced_motion="no-preference") as page:
        assert opened(page, site).evaluate(moving) is True


def test_the_page_forbids_itself_what_it_does_not_need(page: Page) -> None:
    policy = page.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content") or ""
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_interface_is_described_where_there_is_no_internet(browser: Browser, site: str) -> None:
    with visiting(browser, site) as page:
        page.goto(f"{site}/docs")
        expect(page.locator(".opblock-summary-path", has_text="/predict").first).to_be_visible()
