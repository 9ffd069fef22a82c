import logging
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from campaign.identity import digests_of
from campaign.model import ScoringModel
from campaign.store import Store
from tasks.manifest import PREDICTED, SHADOW, Manifest, read_manifest
from tasks.model_versions import Version
from tasks.sampling import is_in_sample
from tasks.scoring import shadow
from tasks.scoring.pieces import plan_day
from tasks.scoring.score import input_files
from tasks.scoring.scored_pieces import score_all, score_inputs, shadow_path
from tasks.scoring.shadow import find_challenger_to_shadow, one_in, publish_shadow
from tasks.scoring.shadow_part import ShadowPiece

DAY = date(2026, 11, 22)
CHALLENGER = Version("calls", "4", "run", {}, datetime(2026, 11, 1))


@pytest.fixture
def challenger(model, own_home, monkeypatch) -> ScoringModel:
    """Version 4, as the registry gives it."""
    challenger = replace(model, version="4")
    monkeypatch.setattr(shadow, "load_challenger", lambda *_: challenger)
    monkeypatch.setattr(shadow, "get_run_logger", lambda: logging.getLogger("shadow"))
    return challenger


@pytest.fixture
def scored(store, model, challenger, monkeypatch) -> tuple[Manifest, list[ShadowPiece]]:
    """A day of five pieces that both have scored; the shadow is not committed yet."""
    monkeypatch.setattr("tasks.scoring.pieces.PIECE_ROWS", 7)
    pieces: list = []

    def score(planned: list) -> list:
        pieces[:] = score_all(store, planned, model, challenger)
        return pieces

    manifest = score_inputs(store, DAY, input_files(store, DAY), model, score)
    return manifest, [piece.shadow for piece in pieces]


def predictions_of(manifest: Manifest) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(part.uri) for part in manifest.parts], ignore_index=True)


def test_the_manifest_of_the_shadow_lists_its_parts_and_the_same_inputs(store, scored):
    manifest, pieces = scored
    assert publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, pieces)
    committed = read_manifest(store, DAY, SHADOW)
    assert committed.inputs == manifest.inputs
    assert (committed.model_version, committed.rows) == ("4", manifest.rows)
    assert predictions_of(committed)["CampaignID"].tolist() == predictions_of(manifest)["CampaignID"].tolist()
    assert committed.predicted_success == 22
    assert read_manifest(store, DAY, PREDICTED) == manifest


def test_the_successes_of_the_shadow_are_those_that_the_challenger_foretells(store, scored):
    manifest, pieces = scored
    fewer = [replace(piece, successful=1) for piece in pieces]
    publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, fewer)
    assert read_manifest(store, DAY, SHADOW).predicted_success == len(pieces) < manifest.predicted_success


@pytest.mark.usefixtures("far_from_utc")
def test_the_shadow_says_when_it_was_scored_in_utc_and_not_when_the_day_was(store, scored):
    manifest, pieces = scored
    earlier = replace(manifest, scored_at="2026-11-23T01:00:00+00:00")
    publish_shadow(store, input_files(store, DAY), earlier, CHALLENGER, pieces)
    scored_at = datetime.fromisoformat(read_manifest(store, DAY, SHADOW).scored_at)
    assert scored_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - scored_at) < timedelta(hours=1)


def test_a_piece_with_a_fault_leaves_the_day_without_a_shadow_and_says_so(store, scored, caplog):
    manifest, pieces = scored
    broken = [*pieces[:-1], replace(pieces[-1], fault="no tree")]
    assert not publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, broken)
    assert not publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, [*pieces[:-1], None])
    assert read_manifest(store, DAY, SHADOW) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"{DAY} has no shadow of version 4: no tree",
        f"{DAY} has no shadow of version 4: it could not be loaded where the day was scored",
    ]


def test_alone_the_challenger_predicts_what_it_did_beside_the_champion(store, scored):
    manifest, pieces = scored
    publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, pieces)
    beside = predictions_of(read_manifest(store, DAY, SHADOW))
    assert publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, None)
    pd.testing.assert_frame_equal(predictions_of(read_manifest(store, DAY, SHADOW)), beside)


@pytest.mark.parametrize("alone", [False, True])
def test_of_a_large_day_the_challenger_scores_a_sample_and_the_champion_all(
    store, model, challenger, monkeypatch, alone
):
    monkeypatch.setattr(shadow, "SHADOW_ROWS", 14)  # of 42: one in three
    shadows: list = []

    def score(planned: list) -> list:
        pieces = score_all(store, planned, model, challenger, one_in(planned))
        shadows[:] = [piece.shadow for piece in pieces]
        return pieces

    manifest = score_inputs(store, DAY, input_files(store, DAY), model, score)
    assert publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, None if alone else shadows)
    committed, whole = read_manifest(store, DAY, SHADOW), predictions_of(manifest)
    kept = is_in_sample(digests_of(pa.array(whole["CampaignID"].tolist())), 3)
    assert 4 < kept.sum() < 25
    assert predictions_of(committed)["CampaignID"].tolist() == whole["CampaignID"][kept].tolist()
    assert committed.rows == replace(manifest.rows, scored=kept.sum())


def test_alone_the_challenger_leaves_out_the_file_that_the_champion_could_not_read(store, model, challenger):
    store.publish(f"incoming/day={DAY}/aa.parquet", b"no Parquet")
    entries = input_files(store, DAY)
    manifest = score_inputs(store, DAY, entries, model, lambda pieces: score_all(store, pieces, model))
    assert publish_shadow(store, entries, manifest, CHALLENGER, None)
    assert read_manifest(store, DAY, SHADOW).rows == manifest.rows


def test_whatever_is_wrong_with_a_shadow_is_a_warning(store, scored, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    manifest, pieces = scored
    monkeypatch.setattr(Store, "publish", fail)
    assert not publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, pieces)
    assert "the disk is gone" in caplog.text


def lose(*_: object) -> None:
    raise RuntimeError("no artifact")


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (lambda _: None, "No shadow: calls has no challenger"),
        (lose, "No shadow: the challenger cannot be looked for (no artifact)"),
        (lambda _: CHALLENGER, "Version 4 does not score in the shadow: no artifact"),
    ],
)
def test_without_a_challenger_that_can_be_loaded_there_is_no_shadow(monkeypatch, caplog, find, message):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(shadow, "get_run_logger", lambda: logging.getLogger("shadow"))
    monkeypatch.setattr(shadow, "find_challenger", find)
    monkeypatch.setattr(shadow, "load_version", lose)
    assert find_challenger_to_shadow.fn(replace(CHALLENGER, number="3")) is None
    assert [record.getMessage() for record in caplog.records] == [message]


@pytest.mark.parametrize(("most", "every"), [(100, 1), (42, 1), (41, 2), (21, 2), (20, 3)])
def test_of_a_large_day_no_more_campaigns_are_scored_than_a_sample_has(store, model, monkeypatch, most, every):
    monkeypatch.setattr(shadow, "SHADOW_ROWS", most)
    assert one_in(plan_day(store, DAY, input_files(store, DAY), model).pieces) == every
    assert one_in([]) == 1


def test_the_challenger_of_the_champions_model_is_loaded_as_the_registry_has_it(monkeypatch):
    asked: list = []
    monkeypatch.setattr(shadow, "find_challenger", lambda model: asked.append(model) or CHALLENGER)
    monkeypatch.setattr(shadow, "load_version", lambda version: asked.append(version) or "a model")
    shadow.load_challenger.cache_clear()
    assert find_challenger_to_shadow.fn(replace(CHALLENGER, number="3")) == CHALLENGER
    model, loaded = asked
    assert model == "calls"
    assert (loaded.model, loaded.number, loaded.run_id) == ("calls", "4", "run")
    shadow.load_challenger.cache_clear()


def test_parts_that_no_shadow_lists_go_after_their_grace_and_those_of_this_one_stay(store, scored, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_SWEEP_GRACE_HOURS", "2")
    manifest, pieces = scored
    folder = f"{SHADOW}/day={DAY}"
    for name in ("superseded", "young"):
        store.publish(f"{folder}/{name}.parquet", b"a part")
    aged = (datetime.now(UTC) - timedelta(hours=3)).timestamp()
    for path in [*(store.path_of(piece.part.uri) for piece in pieces), f"{folder}/superseded.parquet"]:
        os.utime(store.at(path).removeprefix("file://"), (aged, aged))
    assert publish_shadow(store, input_files(store, DAY), manifest, CHALLENGER, pieces)
    left = {entry.path.rpartition("/")[2] for entry in store.entries(folder)}
    assert left == {piece.part.uri.rpartition("/")[2] for piece in pieces} | {"manifest.json", "young.parquet"}


def test_another_challenger_and_the_same_one_of_another_day_write_under_other_names(store, challenger):
    [piece] = plan_day(store, DAY, input_files(store, DAY), challenger).pieces
    other = replace(piece, path=piece.path.replace(str(DAY), "2026-11-23"))
    paths = [shadow_path(piece, challenger), shadow_path(piece, replace(challenger, version="5"))]
    paths.append(shadow_path(other, challenger))
    assert len({*paths}) == 3
    assert all(path.startswith(f"{SHADOW}/day=") for path in paths)
