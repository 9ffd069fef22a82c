"""Which files lose a campaign's rows, and that what commits them stays true."""

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from campaign.schema import ID
from campaign.store import Store
from campaign.warm_up import smallest_model
from tasks.forget import Places, find_places, forget
from tasks.manifest import PREDICTED, SHADOW, Manifest, read_manifest
from tasks.metrics_database import database, scored
from tasks.scoring.score import input_files, is_current, record
from tasks.scoring.scored_pieces import score_all, score_inputs
from tests.published import FEATURES, SCHEMA

DAY = date(2026, 11, 22)
MODEL = replace(smallest_model(), name="m", version="1")  # a success is a goal above 50,000
RICH, POOR, BAD, STRANGE, LATE = "C3", "C4", "C5", "C6", "L2"


def campaigns(*ids: str) -> pd.DataFrame:
    """All alike, with a small goal."""
    values = {column.name: column.categories[0] if column.is_category else column.low for column in FEATURES}
    return pd.DataFrame({ID: [*ids], **values})


def drop(store: Store, path: str, frame: pd.DataFrame) -> None:
    with store.writing(path) as sink:
        frame.to_parquet(sink, index=False)


@pytest.fixture
def store(tmp_path, own_home, monkeypatch) -> Store:
    """A day of two files that version 1 scored, also in its own shadow: two succeed, one is bad, one strange."""
    store = Store((tmp_path / "store").as_uri())
    monkeypatch.setenv("CAMPAIGN_STORE", store.uri)
    monkeypatch.setattr("tasks.forget.find_version", lambda model, number: (model, number))
    monkeypatch.setattr("tasks.forget.load_version", lambda version: MODEL)
    day = campaigns(*(f"C{number}" for number in range(8))).set_index(ID)
    day.loc[["C1", RICH], "GoalAmount"] = 60_000
    day.loc[BAD, "RaisedAmount"] = None
    day.loc[[STRANGE], "Category"] = "Podcast"
    drop(store, f"incoming/day={DAY}/a.parquet", day.reset_index())
    late = campaigns("L1", LATE, "L3").to_csv(index=False)
    store.publish(f"incoming/day={DAY}/late.csv", late.encode())
    manifest = score_inputs(store, DAY, input_files(store, DAY), MODEL, lambda pieces: score_all(store, pieces, MODEL))
    shadow = [replace(part, uri=part.uri.replace(PREDICTED, SHADOW)) for part in manifest.parts]
    for path in [store.path_of(part.uri) for part in manifest.parts]:
        store.publish(path.replace(PREDICTED, SHADOW), store.read(path))
    replace(manifest, parts=shadow).publish(store, SHADOW)
    record(manifest)
    record(replace(manifest, day=str(DAY - timedelta(days=1))))
    return store


def holders(store: Store, campaign_id: str) -> list[str]:
    """The files in which an id stands."""
    found = []
    for entry in store.entries(""):
        path = Path(store.at(entry.path).removeprefix("file://"))
        texts = pd.read_parquet(path).astype(str).to_numpy().ravel() if path.suffix == ".parquet" else ()
        if campaign_id in texts or (path.suffix == ".csv" and campaign_id in path.read_text()):
            found.append(entry.path)
    return found


def is_true(store: Store, manifest: Manifest) -> bool:
    """Whether every file that a manifest lists is there as it says, with so many rows, and its counts are theirs."""
    listed = [*manifest.inputs, *manifest.parts, *manifest.quarantine]
    digests = [hashlib.sha256(store.read(store.path_of(part.uri))).hexdigest() for part in listed]
    rows = [find_places(part.uri, SCHEMA, "nobody").total for part in manifest.inputs]
    rows += [len(pd.read_parquet(part.uri)) for part in [*manifest.parts, *manifest.quarantine]]
    success = sum(pd.read_parquet(part.uri)["success"].sum() for part in manifest.parts)
    counts = manifest.rows.read, manifest.rows.scored, manifest.rows.quarantined
    sums = tuple(sum(part.rows for part in parts) for parts in (manifest.inputs, manifest.parts, manifest.quarantine))
    return (
        digests == [part.sha256 for part in listed]
        and rows == [part.rows for part in listed]
        and counts == sums
        and success == manifest.predicted_success
    )


@pytest.mark.parametrize(
    ("campaign_id", "folders", "changed"),
    [
        (RICH, {"incoming", PREDICTED, SHADOW}, {"predicted_success": 1}),
        (POOR, {"incoming", PREDICTED, SHADOW}, {"predicted_success": 2}),
        (LATE, {"incoming", PREDICTED, SHADOW}, {"predicted_success": 2}),
        (STRANGE, {"incoming", PREDICTED, SHADOW}, {"unknown": 0}),
        (BAD, {"incoming", "quarantine"}, {"missing": 0}),
    ],
)
def test_it_is_in_no_file_of_its_day_and_both_manifests_are_those_of_the_rest(store, campaign_id, folders, changed):
    before = read_manifest(store, DAY)
    assert {path.split("/")[0] for path in holders(store, campaign_id)} == folders
    assert (before.predicted_success, before.unknown["Category"], before.missing["RaisedAmount"]) == (2, 1, 1)
    forget(campaign_id, SCHEMA)
    assert holders(store, campaign_id) == []
    for folder in (PREDICTED, SHADOW):
        manifest = read_manifest(store, DAY, folder)
        assert is_true(store, manifest)
        assert manifest.rows.read == before.rows.read - 1
        assert is_current(manifest, input_files(store, DAY), store)  # it is not taken for a changed day
        counts = {
            "predicted_success": manifest.predicted_success,
            "unknown": manifest.unknown["Category"],
            "missing": manifest.missing["RaisedAmount"],
        }
        assert counts == {"predicted_success": 2, "unknown": 1, "missing": 1} | changed
        assert {part.uri.split("/day=")[0].rpartition("/")[2] for part in manifest.parts} == {folder}


def test_no_part_is_left_that_no_manifest_lists_and_none_changes_under_its_name(store):
    before = {part.uri: part.sha256 for part in read_manifest(store, DAY).parts}
    superseded = f"{PREDICTED}/day={DAY}/part-0-superseded.parquet"
    store.publish(superseded, store.read(store.path_of(next(iter(before)))))
    forget(RICH, SCHEMA)
    after = {part.uri: part.sha256 for part in read_manifest(store, DAY).parts}
    assert all(before.get(uri, digest) == digest for uri, digest in after.items())
    assert {entry.path for entry in store.entries(PREDICTED)} == {
        f"{PREDICTED}/day={DAY}/manifest.json", *map(store.path_of, after)
    }  # fmt: skip


def test_what_the_metrics_database_says_of_the_day_and_of_no_other_is_corrected(store):
    forget(RICH, SCHEMA)
    with database().connect() as connection:
        rows = connection.execute(sa.select(scored).order_by(scored.c.day)).all()
    counts = [(row.day, row.rows_read, row.rows_scored, row.rows_quarantined, row.predicted_success) for row in rows]
    assert counts == [(DAY - timedelta(days=1), 11, 10, 1, 2), (DAY, 10, 9, 1, 1)]


@pytest.mark.parametrize("folder", ["base", f"outcomes/day={DAY}", f"captured/day={DAY}", f"by-hand/day={DAY}"])
def test_no_folder_is_forgotten_and_a_file_of_nothing_else_goes(store, folder):
    drop(store, f"{folder}/others.parquet", campaigns("X1", "X2", "X3"))
    drop(store, f"{folder}/alone.parquet", campaigns("X2"))
    forgotten = forget("X2", SCHEMA)
    assert forgotten.files == {f"{folder}/alone.parquet": 1, f"{folder}/others.parquet": 1}
    assert not store.exists(f"{folder}/alone.parquet")
    assert pd.read_parquet(store.at(f"{folder}/others.parquet"))[ID].tolist() == ["X1", "X3"]


def test_a_file_that_cannot_be_looked_into_is_named_and_the_others_lose_the_campaign(store):
    broken = [f"outcomes/day={DAY}/broken.parquet", f"incoming/day={DAY}/0.parquet"]  # it is the first of its day
    for path in broken:
        store.publish(path, b"PAR1 no more")
    forgotten = forget(RICH, SCHEMA)
    assert {*forgotten.unread} == {*broken}
    for path in broken:
        store.delete(path)
    assert holders(store, RICH) == []


def test_rows_are_counted_through_all_batches_of_a_file(tmp_path):
    ids = [f"C{number}" for number in range(70_000)]
    ids[3] = ids[66_000] = " C9 "  # the same id, as rows are joined by it
    campaigns(*ids).to_csv(tmp_path / "a.csv", index=False)
    assert find_places(str(tmp_path / "a.csv"), SCHEMA, "C9") == Places([3, 9, 66_000], 70_000)
