"""`campaign forget`: a person's rows go from every folder, and what commits them stays true."""

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from campaign.schema import ID
from campaign.schema_file import published, served_model
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.traffic import traffic
from tasks.forget import forget
from tasks.learnt_from import data_sets_elsewhere, forget_gathered, versions_that_learnt
from tasks.manifest import SHADOW, Manifest, read_manifest
from tasks.metrics_database import database, scored
from tasks.model_versions import find_champion
from tests.conftest import capture_answers

DAY = datetime.now(UTC).date() - timedelta(days=2)
GOOD, BAD, OTHER = (f"C{DAY:%Y%m%d}_{number:05d}" for number in (10, 20, 30))


@pytest.fixture
def day(store: Store) -> Store:
    """A scored and answered day with outcomes, where one campaign has an impossible amount; a CSV file beside it."""
    traffic(DAY, 300, outcomes=True)
    path = Path(store.at(f"incoming/day={DAY}/campaigns.parquet").removeprefix("file://"))
    frame = pd.read_parquet(path)
    frame.loc[frame[ID] == BAD, "RaisedAmount"] = -1.0
    frame.loc[frame[ID] == GOOD, "Category"] = "Podcast"
    frame.head(200).to_parquet(path, index=False)
    frame.tail(100).to_csv(path.with_name("late.csv"), index=False, sep=";")
    batch_scoring()
    capture_answers(DAY)
    return store


def holders(store: Store, campaign_id: str) -> list[str]:
    """The files in which an id stands, by their bytes as text."""
    found = []
    for entry in store.entries(""):
        path = Path(store.at(entry.path).removeprefix("file://"))
        if path.suffix == ".parquet":
            texts = pd.read_parquet(path).astype(str).to_numpy().ravel().tolist()
        else:
            texts = path.read_text(errors="replace").replace(";", "\n").splitlines()
        if campaign_id in texts:
            found.append(entry.path.split("/")[0])
    return sorted(found)


def is_true(store: Store, manifest: Manifest) -> bool:
    """Whether every file that a manifest lists is as it says."""
    for part in [*manifest.inputs, *manifest.parts, *manifest.quarantine]:
        data = store.read(store.path_of(part.uri))
        if hashlib.sha256(data).hexdigest() != part.sha256:
            return False
    counts = [sum(part.rows for part in parts) for parts in (manifest.inputs, manifest.parts, manifest.quarantine)]
    return counts == [*asdict(manifest.rows).values()]


@pytest.mark.parametrize(
    ("campaign_id", "folders"),
    [
        (GOOD, ["captured", "captured", "incoming", "outcomes", "predictions"]),
        (BAD, ["incoming", "outcomes", "quarantine"]),
        (f"C{DAY:%Y%m%d}_00250", ["incoming", "outcomes", "predictions"]),
    ],
)
def test_it_is_in_no_file_afterwards_and_the_manifest_is_that_of_the_rest(day, campaign_id, folders):
    assert holders(day, campaign_id) == folders
    before = read_manifest(day, DAY)
    forgotten = forget(campaign_id, published())
    assert (len(forgotten.files), forgotten.unread) == (len(folders), {})
    assert holders(day, campaign_id) == []
    manifest = read_manifest(day, DAY)
    assert is_true(day, manifest)
    assert manifest.rows.read == before.rows.read - 1
    for entry in day.entries(f"predictions/day={DAY}"):
        assert entry.path.endswith("manifest.json") or entry.path in [day.path_of(part.uri) for part in manifest.parts]
    assert batch_scoring() == []  # it is not taken for a changed day
    with database().connect() as connection:
        row = connection.execute(sa.select(scored)).one()
    assert (row.rows_read, row.predicted_success) == (manifest.rows.read, manifest.predicted_success)
    again = batch_scoring(day=DAY)[0]
    day_now = read_manifest(day, DAY)
    assert (again.rows, day_now.predicted_success) == (manifest.rows, manifest.predicted_success)
    assert (day_now.missing, day_now.unknown) == (manifest.missing, manifest.unknown)


def test_the_shadow_of_a_day_is_rewritten_too_and_its_manifest_true(day, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_SHADOW", "1")
    monkeypatch.setattr("tasks.scoring.shadow.find_challenger", find_champion)  # it scores beside itself
    batch_scoring(day=DAY)
    before = read_manifest(day, DAY, SHADOW)
    assert holders(day, GOOD).count("shadow") == 1
    forget(GOOD, published())
    assert holders(day, GOOD) == []
    shadow, predictions = read_manifest(day, DAY, SHADOW), read_manifest(day, DAY)
    assert is_true(day, predictions)
    assert shadow.rows == predictions.rows
    assert shadow.inputs == predictions.inputs
    assert shadow.predicted_success == predictions.predicted_success
    assert sum(part.rows for part in shadow.parts) == before.rows.scored - 1
    for part in shadow.parts:
        assert hashlib.sha256(day.read(day.path_of(part.uri))).hexdigest() == part.sha256
    assert batch_scoring(day=DAY)[0].shadow == ""  # nor is it taken for a changed day


def test_who_is_interrupted_before_the_manifest_runs_it_again(day, monkeypatch):
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "publish", kill)
        with pytest.raises(KeyboardInterrupt):
            forget(GOOD, published())
    forget(GOOD, published())
    assert holders(day, GOOD) == []
    assert is_true(day, read_manifest(day, DAY))
    assert read_manifest(day, DAY).rows.read == 299


def test_models_that_learnt_from_it_and_data_sets_elsewhere_are_said(day, trained, trained_once):
    reference = pd.read_parquet(next((trained / "cache/models").glob("*/1-*/reference.parquet")))
    base = pd.read_parquet(trained / "store/base/campaigns.parquet")
    judged, fitted = str(reference[ID].iloc[0]), str(base[ID][~base[ID].isin(reference[ID])].iloc[0])
    assert versions_that_learnt(served_model(), judged) == [
        "version 1, the champion, was fitted or judged on it and keeps its row among its test rows"
    ]
    assert versions_that_learnt(served_model(), fitted) == ["version 1, the champion, was fitted or judged on it"]
    assert versions_that_learnt(served_model(), GOOD) == []
    row = int(np.flatnonzero(base[ID] == fitted)[0]) + 1
    assert data_sets_elsewhere(served_model(), published(), fitted) == [
        f"{home}/store/base/campaigns.parquet, row {row}" for home in (trained, trained_once)
    ]
    assert forget_gathered(fitted) == 1
    assert forget_gathered(fitted) == 0
