"""Which campaigns of which days champion and challenger are held against each other on."""

import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.identity import digests_of
from campaign.model import LEARNT
from campaign.schema import ID, LABEL
from campaign.store import Store
from campaign.warm_up import smallest_model
from tasks.manifest import PREDICTED, SHADOW, Manifest, Part, Rows, read_manifest
from tasks.training import shadow_days
from tasks.training.shadow_days import RealisedDay, Side, realised_days

DAY = date(2026, 11, 22)
TODAY = DAY + timedelta(days=30)
PROBABILITIES = {PREDICTED: {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}, SHADOW: {"d": 0.9, "c": 0.8, "b": 0.7, "e": 0.6}}


@pytest.fixture
def sides(tmp_path) -> tuple[Side, Side]:
    """Versions 1 and 3, which have learnt from nothing."""
    for number in ("1", "3"):
        (tmp_path / number).mkdir()
    return tuple(Side(replace(smallest_model(), version=number), tmp_path / number) for number in ("1", "3"))


@pytest.fixture
def store(tmp_path, own_home) -> Store:
    """A day that version 1 scored, and version 3 in its shadow: both did b, c and d. All succeed but b."""
    store = Store((tmp_path / "store").as_uri())
    for folder, version in ((PREDICTED, "1"), (SHADOW, "3")):
        write(store, folder, version, PROBABILITIES[folder])
    write_outcomes(store, {"a": 1, "b": 0, "c": 1, "d": 1})
    return store


def write(store: Store, folder: str, version: str, probabilities: dict[str, float], inputs: str = "digest") -> None:
    path = f"{folder}/day={DAY}/part-1.parquet"
    with store.writing(path) as sink:
        pq.write_table(pa.table({ID: [*probabilities], "probability": [*probabilities.values()]}), sink)
    part, rows = Part(store.at(path), sink.sha256, len(probabilities)), len(probabilities)
    given = [Part(store.at(f"incoming/day={DAY}/a.parquet"), inputs, rows)]
    manifest = Manifest(str(DAY), "m", version, given, [part], [], Rows(rows, rows, 0), "2026-11-23T01:00:00+00:00", 0)
    manifest.publish(store, folder)


def write_outcomes(store: Store, outcomes: dict[str, int | None], name: str = "outcomes.parquet") -> Path:
    with store.writing(f"outcomes/day={DAY}/{name}") as sink:
        pd.DataFrame({ID: [*outcomes], LABEL: [*outcomes.values()]}).to_parquet(sink, index=False)
    path = Path(store.at(f"outcomes/day={DAY}/{name}").removeprefix("file://"))
    moment = (pd.Timestamp(TODAY) - pd.Timedelta(days=2)).timestamp()
    os.utime(path, (moment, moment))
    return path


def realised(store: Store, sides: tuple[Side, Side], today: date = TODAY) -> list[RealisedDay]:
    return [*realised_days(store, *sides, today)]


def as_lists(day: RealisedDay) -> tuple[list, ...]:
    return day.label.tolist(), day.champion.tolist(), day.challenger.tolist()


def test_probabilities_of_both_stand_beside_the_outcome_of_the_same_campaign(store, sides):
    [day] = realised(store, sides)
    found = sorted(zip(*as_lists(day), strict=True), key=lambda row: row[1])
    assert (day.day, found) == (DAY, [(0, 0.2, 0.7), (1, 0.3, 0.8), (1, 0.4, 0.9)])


@pytest.mark.parametrize("side", [0, 1])
def test_a_campaign_that_one_of_the_two_had_learnt_from_is_left_out(store, sides, side):
    np.save(sides[side].folder / LEARNT, digests_of(pa.array(["c"])))
    [day] = realised(store, sides)
    assert sorted(day.champion) == [0.2, 0.4]


@pytest.mark.parametrize(
    ("folder", "version", "inputs"), [(PREDICTED, "2", "digest"), (SHADOW, "2", "digest"), (SHADOW, "3", "another")]
)
def test_a_day_of_another_version_or_of_other_files_is_left_out(store, sides, folder, version, inputs):
    write(store, folder, version, PROBABILITIES[folder], inputs)
    assert realised(store, sides) == []


def test_a_day_counts_when_its_outcomes_are_in_or_no_more_come(store, sides):
    write_outcomes(store, {"a": 1, "b": 0, "c": 1})  # three of four
    assert realised(store, sides) == []
    assert realised(store, sides, TODAY + timedelta(days=11)) == []
    [day] = realised(store, sides, TODAY + timedelta(days=12))  # 14 days after they came
    assert sorted(day.champion) == [0.2, 0.3]


def test_days_without_outcomes_damaged_ones_and_those_of_long_ago_are_left_out(store, sides):
    assert realised(store, sides, DAY + timedelta(days=366)) == []
    store.publish(f"{SHADOW}/day={DAY}/part-1.parquet", b"damaged")
    assert realised(store, sides) == []
    store.delete(f"outcomes/day={DAY}/outcomes.parquet")
    assert realised(store, sides) == []
    assert read_manifest(store, DAY, SHADOW)


def test_of_a_large_day_the_same_sample_of_both_is_held_against_each_other(store, sides, monkeypatch):
    names = [f"c{number}" for number in range(4_000)]
    write(store, PREDICTED, "1", {name: number / 4_000 for number, name in enumerate(names)})
    write(store, SHADOW, "3", {name: number / 4_000 for number, name in reversed([*enumerate(names)])})
    write_outcomes(store, dict.fromkeys(names, 1))
    monkeypatch.setattr(shadow_days, "DAY_ROWS", 400)
    [day] = realised(store, sides)
    assert 300 < len(day.label) < 500
    assert day.champion.tolist() == day.challenger.tolist()


@pytest.mark.parametrize(("age", "is_looked_at"), [(365, True), (366, False), (0, True), (-1, False)])
def test_the_days_of_a_year_are_looked_at_the_first_and_the_last_among_them(store, sides, age, is_looked_at):
    assert bool(realised(store, sides, DAY + timedelta(days=age))) == is_looked_at


def test_a_share_of_outcomes_that_is_just_enough_is_enough(store, sides, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_OUTCOMES_SHARE", "0.75")
    write_outcomes(store, {"a": 1, "b": 0, "c": 1})  # three of four
    assert len(realised(store, sides)) == 1


def test_how_long_no_outcome_has_come_counts_from_the_last_file(store, sides):
    old = write_outcomes(store, {"a": 1, "b": 0})
    write_outcomes(store, {"c": 1}, "late.parquet")
    moment = (pd.Timestamp(TODAY) - pd.Timedelta(days=20)).timestamp()
    os.utime(old, (moment, moment))
    assert realised(store, sides, TODAY + timedelta(days=11)) == []
    assert len(realised(store, sides, TODAY + timedelta(days=12))) == 1


def test_an_outcome_that_is_not_decided_counts_as_come_and_is_not_judged(store, sides):
    write_outcomes(store, {"a": 1, "b": 0, "c": None, "d": 1})
    [day] = realised(store, sides)
    assert sorted(day.champion) == [0.2, 0.4]


def test_a_day_of_which_nothing_is_judged_is_none(store, sides):
    write_outcomes(store, {"a": 1, "e": 0, "x": 1, "y": 1, "b": None, "c": None, "d": None})
    assert realised(store, sides) == []
