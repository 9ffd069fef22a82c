"""When realised days make the challenger champion, and why not."""

import logging
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from campaign.errors import ModelMismatch
from campaign.store import Store
from tasks.model_versions import Version
from tasks.shadow_record import NOT_BETTER, PROMOTED, WAITING
from tasks.training import shadow_verdict
from tasks.training.shadow_days import RealisedDay
from tasks.training.shadow_verdict import (
    contest_of,
    count_periods,
    has_sign_of_better,
    is_later_half,
    judge,
    judge_challenger,
)

RNG = np.random.default_rng(3)
SEPTEMBER = date(2026, 9, 7)  # a Monday
TODAY = date(2026, 11, 22)
CHAMPION, CHALLENGER = (Version("m", number, "run", {}, datetime(2026, 9, 1)) for number in ("1", "3"))


def day(launched: date, campaigns: int, champion: float, challenger: float, successes: float = 0.5) -> RealisedDay:
    """Of two sides that know the outcome by so many standard deviations of their noise."""
    label = (np.arange(campaigns) < successes * campaigns).astype(np.int8)
    odds = (signal * (label - 0.5) + RNG.normal(size=campaigns) for signal in (champion, challenger))
    return RealisedDay(launched, label, *(1 / (1 + np.exp(-side)) for side in odds))


def days(number: int, campaigns: int, champion: float, challenger: float, apart: int = 1, **more: float) -> list:
    launched = [SEPTEMBER + timedelta(days=apart * at) for at in range(number)]
    return [day(at, campaigns, champion, challenger, **more) for at in launched]


BETTER, WORSE = (1.0, 2.5), (2.5, 1.0)


@pytest.mark.parametrize(
    ("held", "status", "reason"),
    [
        ([], WAITING, "no day that both have scored has its outcomes yet"),
        (days(2, 300, *BETTER, apart=30), PROMOTED, "better on 600 realised campaigns of 2 months (ROC-AUC +0."),
        (days(2, 300, *BETTER, apart=7), PROMOTED, "better on 600 realised campaigns of 2 weeks (ROC-AUC +0."),
        (days(2, 300, *BETTER), WAITING, "600 realised campaigns of 1 week, 300 of the rarer kind; needed are 500"),
        (days(2, 250, *BETTER, apart=30), PROMOTED, "better on 500 realised campaigns of 2 months"),
        (days(2, 249, *BETTER, apart=30), WAITING, "498 realised campaigns of 2 months"),
        (days(2, 300, *BETTER, apart=30, successes=0.01), WAITING, "of 2 months, 6 of the rarer kind"),
        (days(2, 300, *BETTER, apart=30, successes=0.99), WAITING, "of 2 months, 6 of the rarer kind"),
        (days(2, 300, *WORSE, apart=30), NOT_BETTER, "not better than the champion on 600 realised campaigns"),
        (days(2, 300, 1.5, 1.5, apart=30), NOT_BETTER, "not better than the champion on 600 realised campaigns"),
        # The end of a month and the one campaign after it are no two months.
        ([day(date(2026, 9, 30), 600, *BETTER), day(date(2026, 10, 1), 99, *BETTER)], WAITING, "of 1 month"),
        # Far better in September, worse in October: that says more of September than of the challenger.
        (
            [day(SEPTEMBER, 600, 0.5, 4.0), day(SEPTEMBER + timedelta(days=30), 590, 1.5, 1.0)],
            NOT_BETTER, "but not in each half of that time",
        ),
        ([day(SEPTEMBER, 300, *BETTER, successes=1.0), day(date(2026, 10, 7), 300, *BETTER)], NOT_BETTER, "each half"),
    ],
)  # fmt: skip
def test_the_gate_on_realised_days(held, status, reason):
    found, why = judge(held)
    assert found == status
    assert reason in why


def test_a_promotion_says_where_the_challenger_was_better():
    assert judge(days(2, 300, *BETTER, apart=30))[1].endswith("), in the shadow")


@pytest.fixture
def registry(own_home, monkeypatch) -> dict[str, object]:
    """Aliases of a registry, what was promoted, and a record; realised days show the challenger to be better."""
    made: dict[str, object] = {"champion": CHAMPION, "challenger": CHALLENGER}
    made |= {name: [] for name in ("promoted", "recorded", "tagged", "held")}

    def realised_days(store: Store, *held: object) -> list:
        made["held"].append(held)
        return days(2, 300, *BETTER, apart=30)

    def make_champion(model: str, number: str, reason: str) -> None:
        made["promoted"].append((number, reason))
        made.update(champion=CHALLENGER, challenger=None)

    monkeypatch.setenv("CAMPAIGN_SHADOW", "1")
    for name, instead in {
        "find_champion": lambda _: made["champion"],
        "find_challenger": lambda _: made["challenger"],
        "make_champion": make_champion,
        "mlflow_client": lambda: SimpleNamespace(set_model_version_tag=lambda *tag: made["tagged"].append(tag)),
        "record_verdict": made["recorded"].append,
        "get_run_logger": lambda: logging.getLogger("shadow"),
        "realised_days": realised_days,
        "scheduled_day": lambda: TODAY,
    }.items():
        monkeypatch.setattr(shadow_verdict, name, instead)
    monkeypatch.setattr(shadow_verdict.Side, "of", lambda version: version)
    return made


def test_the_challenger_is_promoted_once(registry):
    first, second = judge_challenger.fn(), judge_challenger.fn()
    assert [number for number, _ in registry["promoted"]] == ["3"]
    assert (first.status, second.reason) == (PROMOTED, "there is no challenger")
    assert registry["promoted"][0][1] == first.reason
    assert registry["recorded"] == [first, second]
    assert registry["held"] == [(CHAMPION, CHALLENGER, TODAY)]
    assert registry["tagged"] == [("m", "3", "verdict", f"champion: {first.reason}")]


@pytest.mark.parametrize(("held", "status"), [(days(2, 300, *WORSE, apart=30), NOT_BETTER), ([], WAITING)])
def test_who_is_not_better_is_not_promoted_and_the_verdict_is_recorded(registry, monkeypatch, held, status):
    monkeypatch.setattr(shadow_verdict, "realised_days", lambda *_: held)
    verdict = judge_challenger.fn()
    assert (verdict.version, verdict.status) == ("3", status)
    assert registry["recorded"] == [verdict]
    assert registry["promoted"] == registry["tagged"] == []


def test_a_challenger_that_a_training_made_meanwhile_waits_for_its_own_days(registry, monkeypatch):
    def train_meanwhile(*_: object) -> list:
        registry["challenger"] = Version("m", "4", "run", {}, datetime(2026, 9, 1))
        return days(2, 300, *BETTER, apart=30)

    monkeypatch.setattr(shadow_verdict, "realised_days", train_meanwhile)
    assert judge_challenger.fn().reason == "champion or challenger have changed meanwhile"
    assert registry["promoted"] == []


def test_nobody_is_promoted_while_the_shadow_is_off(registry, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_SHADOW", "0")
    assert judge_challenger.fn().reason == "CAMPAIGN_SHADOW is off"
    assert registry["promoted"] == []


def test_a_champion_that_a_training_made_meanwhile_stays(registry, monkeypatch):
    def train_meanwhile(*_: object) -> list:
        registry["champion"] = Version("m", "4", "run", {}, datetime(2026, 9, 1))
        return days(2, 300, *BETTER, apart=30)

    monkeypatch.setattr(shadow_verdict, "realised_days", train_meanwhile)
    assert judge_challenger.fn().reason == "champion or challenger have changed meanwhile"
    assert registry["promoted"] == []


def test_a_version_that_is_lost_is_said(registry, monkeypatch):
    def lose(version: Version) -> None:
        raise ModelMismatch(f"Version {version.number} has no flat forest.", "Train again.")

    monkeypatch.setattr(shadow_verdict.Side, "of", lose)
    assert judge_challenger.fn().reason == "one of the two is lost: Version 1 has no flat forest."


@pytest.mark.parametrize(
    ("counts", "periods"),
    [
        ({date(2026, 9, 7): 100, date(2026, 10, 1): 99}, (1, "month")),
        ({date(2026, 9, 7): 60, date(2026, 9, 30): 40, date(2026, 10, 1): 100}, (2, "month")),
        ({date(2026, 9, 7): 60, date(2026, 9, 13): 40, date(2026, 9, 14): 100}, (2, "week")),
        ({date(2026, 9, 13): 60, date(2026, 9, 14): 60}, (0, "week")),  # from a Sunday to a Monday
        ({date(2025, 9, 7): 60, date(2026, 9, 7): 60}, (0, "month")),  # a year apart
    ],
)
def test_a_period_is_a_month_or_a_week_of_the_calendar_with_a_hundred_campaigns(counts, periods):
    assert count_periods([day(launched, campaigns, *BETTER) for launched, campaigns in counts.items()]) == periods


def test_the_later_half_is_that_of_campaigns_and_no_day_is_cut():
    held = [day(SEPTEMBER, campaigns, *BETTER) for campaigns in (10, 50, 40)]
    assert is_later_half(held).tolist() == [False] * 60 + [True] * 40
    assert is_later_half(held[::-1]).tolist() == [False] * 40 + [True] * 60


@pytest.mark.parametrize("measure", ["roc_auc", "log_loss"])
def test_who_is_as_good_in_a_half_is_not_against_it_and_who_is_worse_is(measure):
    for challenger, is_for_it in ((2.5, True), (0.5, False)):
        contest = contest_of([day(SEPTEMBER, 400, 1.5, challenger)])
        assert has_sign_of_better(contest, np.ones(400, bool), [measure]) == is_for_it
    same = day(SEPTEMBER, 400, 1.5, 1.5)
    contest = contest_of([RealisedDay(same.day, same.label, same.champion, same.champion)])
    assert has_sign_of_better(contest, np.ones(400, bool), [measure])
