"""Which versions and data sets still know a campaign, in words."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaign.identity import digests_of
from campaign.model import LEARNT, REFERENCE
from campaign.schema import ID
from campaign.settings import Settings
from tasks.learnt_from import data_sets_elsewhere, forget_gathered, versions_that_learnt
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import make_champion
from tests.published import FEATURES, SCHEMA

MODEL = "m"
FITTED, KEPT, BOTH, NOBODY = "C1", "C2", "C3", "C9"


def learn(path: Path, *ids: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, digests_of(pa.array(ids)))


@pytest.fixture(scope="module")
def registry(own_registry: Path) -> Path:
    """Version 1 is of before ids were kept; version 2 is champion; the files of version 3 are lost."""
    folder = own_registry
    client = mlflow_client()
    client.create_registered_model(MODEL)
    experiment = client.create_experiment(MODEL, (folder / "artifacts").as_uri())
    for number in "123":
        files = folder / number / "extra_files"
        files.mkdir(parents=True)
        pd.DataFrame({ID: [KEPT, BOTH]}).to_parquet(files / REFERENCE)
        if number == "2":
            learn(files / LEARNT, FITTED, BOTH)
        (files.parent / "MLmodel").write_text("flavors: {}\n")
        client.create_model_version(MODEL, str(files.parent), client.create_run(experiment).info.run_id)
    shutil.rmtree(folder / "3")
    make_champion(MODEL, "2", "the best")
    return folder


@pytest.mark.parametrize(
    ("campaign_id", "told"),
    [
        (FITTED, ["version 2, the champion, was fitted or judged on it"]),
        (KEPT, ["version 1 keeps its row among its test rows",
                "version 2, the champion, keeps its row among its test rows"]),
        (BOTH, ["version 1 keeps its row among its test rows",
                "version 2, the champion, was fitted or judged on it and keeps its row among its test rows"]),
        (NOBODY, []),
    ],
)  # fmt: skip
def test_each_version_says_whether_it_learnt_from_a_campaign_and_whether_it_keeps_its_row(registry, campaign_id, told):
    assert versions_that_learnt(MODEL, campaign_id) == told


def test_gathered_data_that_holds_it_is_deleted_and_other_stays(own_home):
    for name, ids in (("a", (FITTED, BOTH)), ("b", (KEPT,))):
        learn(Settings().cache / "datasets" / name / LEARNT, *ids)
    assert forget_gathered(FITTED) == 1
    assert forget_gathered(FITTED) == 0
    assert [path.name for path in (Settings().cache / "datasets").iterdir()] == ["b"]


def test_a_data_set_outside_the_store_is_named_with_the_first_row_of_it(own_home, tmp_path, monkeypatch):
    values = {column.name: column.categories[0] if column.is_category else column.low for column in FEATURES}
    pd.DataFrame({ID: [KEPT, FITTED, BOTH, FITTED], **values}).to_csv(tmp_path / "base.csv", index=False)
    monkeypatch.setenv("CAMPAIGN_DATASET", str(tmp_path / "base.csv"))
    monkeypatch.setattr("tasks.learnt_from.find_champion", lambda model: None)
    assert data_sets_elsewhere(MODEL, SCHEMA, FITTED) == [f"{tmp_path}/base.csv, row 2"]
    assert data_sets_elsewhere(MODEL, SCHEMA, NOBODY) == []
    monkeypatch.setenv("CAMPAIGN_DATASET", str(tmp_path / "moved.csv"))
    assert data_sets_elsewhere(MODEL, SCHEMA, FITTED) == []
