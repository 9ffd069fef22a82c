import numpy as np
import pytest

from campaign.encoding import Encoder
from campaign.errors import ModelMismatch
from campaign.model import NORMAL_FORM, ScoringModel
from campaign.warm_up import smallest_forest
from tasks.model_versions import Version
from tasks.training import promote
from tasks.training.contest import TestRows
from tasks.training.promote import Registered, compare_parts, compare_with_champion, hold_contest, load_promoted
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

    def given(*probability: np.ndarray, alike: np.ndarray | None = None) -> None:
        splits_alike = np.ones(100, bool) if alike is None else alike
        read = TestRows(LABEL, DAYS, splits_alike, list(probability))
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
    assert contest.best_roc_auc == pytest.approx(compare_parts(contest, days)["all"]["champion"])


def test_the_bar_is_the_best_version_ever_promoted_that_can_read_the_rows(rows, data):
    cannot = scores(100)
    cannot[5] = np.nan
    rows(scores(60), scores(50), scores(90), cannot)
    contest, _, left_out = hold_contest(model("4"), model("3"), {"2": model("2"), "1": model("1")}, data, None)
    assert contest is not None
    assert left_out == ["1"]
    assert contest.best_roc_auc == pytest.approx(0.995)


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
