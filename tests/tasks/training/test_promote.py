import logging
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from campaign.encoding import Encoder
from campaign.errors import ModelMismatch
from campaign.model import NORMAL_FORM, ScoringModel
from campaign.warm_up import smallest_forest
from tasks.measures import log_loss, roc_auc
from tasks.model_versions import Version
from tasks.training import promote
from tasks.training.contest import TestRows
from tasks.training.promote import (
    Registered,
    Verdict,
    compare_parts,
    compare_with_champion,
    hold_contest,
    load_promoted,
)
from tests.published import KNOWN_CATEGORIES, SCHEMA

LABEL = np.array([0, 1] * 50, np.int8)
DAYS = np.array([""] * 60 + ["2026-11-20"] * 40)


def model(number: str, **about) -> ScoringModel:
    about = {"split_by": NORMAL_FORM, "days": {}} | about
    return ScoringModel("m", number, SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest(), about)


def version(number: str, promoted: bool = True) -> Version:
    import datetime

    tags = {"promoted_at": "2026-11-01"} if promoted else {}
    return Version("m", number, "run", tags, datetime.datetime(2026, 11, 1))


@pytest.fixture
def data():
    return type("Data", (), {"days": {"2026-11-20": 40}})


@pytest.fixture
def rows(monkeypatch):
    """The contest's rows, as if they had been read: one list of probabilities for each model."""

    def given(*probability: np.ndarray, alike: np.ndarray | None = None, launched: np.ndarray | None = None) -> None:
        splits_alike = np.ones(100, bool) if alike is None else alike
        times = None if launched is None else np.column_stack([launched, launched + 1.0])
        read = TestRows(LABEL, DAYS, times, splits_alike, list(probability))
        monkeypatch.setattr(promote, "score_with_each", lambda models, data, parts: read)

    return given


def scores(right: int) -> np.ndarray:
    """Probabilities that rank the first `right` rows as their labels say."""
    return np.where(np.arange(100) < right, np.where(LABEL == 1, 0.9, 0.1), 0.5)


def test_both_sides_are_compared_on_the_rows_that_both_can_read(rows, data):
    unreadable = scores(80)
    unreadable[:30] = np.nan
    rows(scores(100), unreadable)
    contest, days, left_out = hold_contest(model("2"), model("1"), {}, data, None)
    assert contest is not None
    assert len(contest.label) == len(days) == 70
    assert left_out == []
    assert contest.new.sum() == 40  # of the labelled day that the champion lacks
    assert contest.best_roc_auc == pytest.approx(compare_parts(contest, days, roc_auc)["all"]["champion"])


def test_the_bar_is_the_best_version_ever_promoted_that_can_read_the_rows(rows, data):
    cannot = scores(100)
    cannot[5] = np.nan
    rows(scores(60), scores(50), scores(90), cannot)
    contest, _, left_out = hold_contest(model("4"), model("3"), {"2": model("2"), "1": model("1")}, data, None)
    assert contest is not None
    assert left_out == ["1"]
    assert contest.best_roc_auc == pytest.approx(0.995)


IN_ORDER = np.arange(100.0)
# Four launches of 25 rows each; the labelled day begins within the third.
IN_BATCHES = IN_ORDER // 25
FAILURES_LAST = 1.0 - LABEL


def parts_of(contest, days, measure=roc_auc) -> dict[str, int]:
    return {name: side["rows"] for name, side in compare_parts(contest, days, measure).items()}


def test_where_time_is_known_the_latest_fifth_and_new_days_are_judged(rows, data):
    rows(scores(100), scores(80), launched=IN_BATCHES)
    contest, days, _ = hold_contest(model("2"), model("1"), {}, data, None)
    assert contest is not None
    np.testing.assert_array_equal(np.flatnonzero(contest.latest), np.arange(75, 100))
    np.testing.assert_array_equal(np.flatnonzero(contest.judged), np.arange(60, 100))
    assert parts_of(contest, days) == {"older": 60, "latest fifth": 25, "new days": 40, "judged": 40}
    # A champion that learnt from the labelled day is judged on the latest rows alone.
    contest, days, _ = hold_contest(model("2"), model("1", days={"2026-11-20": 40}), {}, data, None)
    assert contest is not None
    assert parts_of(contest, days) == {"older": 75, "latest fifth": 25, "judged": 25}


def test_the_latest_rows_are_those_that_both_can_read(rows, data):
    unreadable = scores(80)
    unreadable[:30] = np.nan
    rows(scores(100), unreadable, launched=IN_BATCHES)
    contest, days, _ = hold_contest(model("2"), model("1", days={"2026-11-20": 40}), {}, data, None)
    assert contest is not None
    assert parts_of(contest, days) == {"older": 45, "latest fifth": 25, "judged": 25}
    np.testing.assert_array_equal(contest.latest, np.arange(30, 100) >= 75)


@pytest.mark.parametrize("launched", [None, FAILURES_LAST])
def test_where_time_is_not_known_or_the_latest_rows_say_nothing_all_are_judged(rows, data, launched):
    rows(scores(100), scores(80), launched=launched)
    contest, days, _ = hold_contest(model("2"), model("1"), {}, data, None)
    assert contest is not None
    assert contest.judged.all()
    assert parts_of(contest, days) == {"base": 60, "new days": 40, "all": 100}


def test_the_bar_is_held_on_the_rows_that_are_judged(rows, data):
    """One version was right on the older rows alone, one on the latest alone and cannot read the others."""
    right_once, right_lately = scores(75), scores(100)
    right_lately[:75] = np.nan
    learnt = {"2026-11-20": 40}
    rows(scores(90), scores(80), right_once, launched=IN_BATCHES)
    contest, days, left_out = hold_contest(model("3"), model("2", days=learnt), {"1": model("1")}, data, None)
    assert contest is not None
    judged = compare_parts(contest, days, roc_auc)["judged"]
    assert contest.best_roc_auc == pytest.approx(judged["champion"])
    rows(scores(90), scores(80), right_lately, launched=IN_BATCHES)
    contest, _, left_out = hold_contest(model("3"), model("2", days=learnt), {"1": model("1")}, data, None)
    assert contest is not None
    assert (contest.best_roc_auc, left_out) == (1.0, [])


def test_a_verdict_reports_both_measures_of_both_sides(registry, monkeypatch, rows, data):
    of_candidate, of_champion = scores(100), scores(80)
    registry["lost"] = set()
    rows(of_candidate, of_champion, of_champion)
    monkeypatch.setattr(promote, "is_same_world", lambda *_: True)
    monkeypatch.setattr(ScoringModel, "load", lambda folder, number: model(number))
    verdict = compare_with_champion(REGISTERED, None, data)
    assert verdict.promoted
    for measure, reported in ((roc_auc, verdict.roc_auc), (log_loss, verdict.log_loss)):
        assert reported["all"] == {
            "rows": 100, "candidate": measure(LABEL, of_candidate), "champion": measure(LABEL, of_champion)
        }  # fmt: skip


def test_a_candidate_is_held_against_the_champion_and_not_the_other_way_round(registry, monkeypatch, rows, data):
    """In what the models say, in what they cost, and in which of them has learnt from the labelled day."""
    registry["lost"] = set()
    monkeypatch.setattr(promote, "is_same_world", lambda *_: True)
    monkeypatch.setattr(ScoringModel, "cost", lambda self: {"3": 30.0, "2": 20.0}[self.version])
    candidate = model("3", days={"2026-11-20": 40})
    monkeypatch.setattr(ScoringModel, "load", lambda folder, number: candidate)
    read, held = [], []
    rows(scores(100), scores(80), scores(80))
    given = promote.score_with_each

    def score(models, data, parts):
        read.extend(model.version for model in models)
        return given(models, data, parts)

    monkeypatch.setattr(promote, "score_with_each", score)
    monkeypatch.setattr(promote, "gate_verdict", lambda contest, margin: (held.append(contest), (True, ""))[1])
    compare_with_champion(REGISTERED, None, data)
    assert read == ["3", "2", "1"]
    [contest] = held
    assert roc_auc(LABEL, contest.candidate) > roc_auc(LABEL, contest.champion)
    assert (contest.candidate_cost, contest.champion_cost) == (30.0, 20.0)
    assert contest.new.sum() == 40


def test_a_version_that_never_was_champion_sets_no_bar(registry):
    registry["lost"] = set()
    assert load_promoted("m", version("2"))[0].keys() == {"1"}
    assert load_promoted("m", version("1"))[0].keys() == {"2"}


def test_a_promotion_that_is_tried_again_is_not_held_against_itself(registry, monkeypatch):
    """The first try had moved the alias, and nothing more."""
    became_champion = replace(version("3"), tags={"promoted_because": "better on all test rows"})
    monkeypatch.setattr(promote, "find_champion", lambda name: became_champion)
    registry["lost"] = {"1", "2", "3"}  # nobody is read
    verdict = compare_with_champion(REGISTERED, None, None)
    assert (verdict.promoted, verdict.reason) == (True, "better on all test rows")


def test_a_registry_that_is_away_promotes_nobody(registry, monkeypatch):
    def away(name):
        raise ConnectionError("MLflow is away")

    monkeypatch.setattr(promote, "find_champion", away)
    with pytest.raises(ConnectionError):
        compare_with_champion(REGISTERED, None, None)


@pytest.fixture
def promoting(monkeypatch):
    """The task without Prefect and MLflow: what it does to the registry."""
    done = []

    class Client:
        def set_registered_model_alias(self, *given: str) -> None:
            done.append(("alias", *given))

        def update_model_version(self, model: str, number: str, card: str) -> None:
            done.append(("card", number))

        def set_model_version_tag(self, *given: str) -> None:
            done.append(("tag", *given))

    monkeypatch.setattr(promote, "reporting_to", lambda run: nullcontext(Client()))
    monkeypatch.setattr(promote, "make_champion", lambda *given: done.append(("champion", *given)))
    monkeypatch.setattr(promote, "get_run_logger", lambda: logging.getLogger("promote"))
    monkeypatch.setattr("mlflow.log_text", lambda text, file: None)
    for name in ("create_markdown_artifact", "create_link_artifact"):
        monkeypatch.setattr(promote, name, lambda *given, **named: None)
    return done


@pytest.mark.parametrize(
    ("promoted", "alias", "role", "champion"),
    [
        (True, ("champion", "m", "3", "why"), "champion", "3"),
        (False, ("alias", "m", "challenger", "3"), "challenger", "2"),
    ],
)
def test_who_earns_it_becomes_champion_and_who_does_not_challenger(
    promoting, monkeypatch, promoted, alias, role, champion
):
    monkeypatch.setattr(promote, "compare_with_champion", lambda *_: Verdict("3", promoted, "why", "2"))
    verdict = promote.promote.fn(replace(REGISTERED, expectation="Expect much."), None, None, None)
    assert promoting == [alias, ("card", "3"), ("tag", "m", "3", "verdict", f"{role}: why")]
    assert (verdict.champion, verdict.expectation) == (champion, "Expect much.")


def test_rows_that_a_model_from_before_may_have_been_fitted_on_take_no_part(rows, data):
    alike = np.arange(100) < 90
    rows(scores(100), scores(80), alike=alike)
    old = model("1", split_by=None)
    assert len(hold_contest(model("2"), old, {}, data, None)[1]) == 90
    assert len(hold_contest(model("2"), model("1"), {}, data, None)[1]) == 100


def test_a_champion_that_can_read_no_row_is_no_contest(rows, data):
    rows(scores(100), np.full(100, np.nan))
    assert hold_contest(model("2"), model("1"), {}, data, None)[0] is None


@pytest.fixture
def registry(monkeypatch):
    """A registry of three versions, 2 the champion and 1 lost; whether the store is there can be changed."""
    state = {"lost": {"1"}}
    versions = [version("3", promoted=False), version("2"), version("1")]

    def load(wanted: Version) -> ScoringModel:
        if wanted.number in state["lost"]:
            raise ModelMismatch(f"Version {wanted.number} is damaged.", "Roll back.")
        return model(wanted.number)

    def files(wanted: Version):
        load(wanted)
        from pathlib import Path

        return Path("nowhere")

    monkeypatch.setattr(promote, "list_versions", lambda name: versions)
    monkeypatch.setattr(promote, "find_champion", lambda name: versions[1])
    monkeypatch.setattr(promote, "find_version", lambda name, number: next(v for v in versions if v.number == number))
    monkeypatch.setattr(promote, "load_version", load)
    monkeypatch.setattr(promote, "files_of", files)
    monkeypatch.setattr(promote, "served_model", lambda: "m")
    return state


REGISTERED = Registered("m", "3", "folder", "")


def test_a_version_that_was_champion_and_is_lost_is_left_out_by_name(registry):
    loaded, lost = load_promoted("m", version("2"))
    assert loaded == {}
    assert lost == {"1": "Version 1 is damaged. Roll back."}


def test_a_champion_that_is_lost_blocks_no_promotion_and_it_is_said(registry):
    registry["lost"] = {"1", "2"}
    verdict = compare_with_champion(REGISTERED, None, None)
    assert verdict.promoted
    assert "the champion, version 2, is lost" in verdict.reason


def test_a_store_that_is_away_is_not_taken_for_a_lost_champion(registry):
    registry["lost"] = {"1", "2", "3"}
    with pytest.raises(ModelMismatch):
        compare_with_champion(REGISTERED, None, None)


@pytest.mark.parametrize(
    ("served", "command"), [("m", "campaign champion set 3"), ("other", "campaign champion --model m set 3")]
)
def test_another_world_is_declined_with_the_command_that_promotes_all_the_same(registry, monkeypatch, served, command):
    monkeypatch.setattr(promote, "served_model", lambda: served)
    monkeypatch.setattr(promote, "is_same_world", lambda *_: False)
    verdict = compare_with_champion(REGISTERED, None, None)
    assert not verdict.promoted
    assert "shares no campaigns with those that version 2 was judged on" in verdict.reason
    assert f"`{command}`" in verdict.reason


@pytest.mark.parametrize(
    ("readable", "why"),
    [(0, "version 2 cannot read the rows"), (1, "all test rows that version 2 can read have the same outcome")],
)
def test_a_contest_that_cannot_be_held_is_declined_with_its_cause(registry, monkeypatch, rows, data, readable, why):
    of_champion = np.full(100, np.nan)
    of_champion[:readable] = 0.5
    rows(scores(100), of_champion, scores(100))
    monkeypatch.setattr(promote, "is_same_world", lambda *_: True)
    monkeypatch.setattr(ScoringModel, "load", lambda folder, number: model(number))
    verdict = compare_with_champion(REGISTERED, None, data)
    assert not verdict.promoted
    assert why in verdict.reason
