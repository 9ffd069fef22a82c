import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.errors import ModelMismatch
from campaign.forest import Forest
from campaign.model import DESCRIPTION, ScoringModel
from campaign.reading import Batch, read_campaigns
from campaign.schema import FEATURES, features_of

KNOWN = {column.name: column.categories for column in FEATURES if column.is_category}


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    path = tmp_path_factory.mktemp("data") / "a.parquet"
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(400)), path)
    return next(read_campaigns(str(path), FEATURES, label=True))


def fitted(batch: Batch, feature_set: str = "published", **seen: Any) -> tuple[ScoringModel, RandomForestClassifier]:
    encoder = Encoder.fit(feature_set, KNOWN | seen)
    forest = RandomForestClassifier(n_estimators=5, random_state=1).fit(encoder.encode(batch), batch.label)
    return ScoringModel("campaign-success", "7", encoder, Forest.from_sklearn(forest), {"rows": 400}), forest


@pytest.mark.parametrize("feature_set", ["published", "launch"])
def test_a_stored_model_scores_as_the_one_that_was_fitted(tmp_path: Path, batch: Batch, feature_set: str) -> None:
    model, forest = fitted(batch, feature_set)
    files = model.save(tmp_path / "model")
    loaded = ScoringModel.load(tmp_path / "model", "7")
    np.testing.assert_array_equal(loaded.probabilities_of(batch), model.probabilities_of(batch))
    expected = forest.predict_proba(model.encoder.encode(batch))[:, 1]
    np.testing.assert_allclose(loaded.probabilities_of(batch), expected, rtol=0, atol=1e-12)
    assert (loaded.name, loaded.version, loaded.encoder) == ("campaign-success", "7", model.encoder)
    assert loaded.about == {"rows": 400}
    assert sorted(files) == sorted((tmp_path / "model").iterdir())


def test_saving_twice_leaves_the_same_bytes(tmp_path: Path, batch: Batch) -> None:
    model, _ = fitted(batch)
    first = [path.read_bytes() for path in model.save(tmp_path)]
    assert [path.read_bytes() for path in model.save(tmp_path)] == first


def test_rows_with_a_category_that_training_never_saw_are_counted(batch: Batch) -> None:
    model, _ = fitted(batch, Country=["UK"])
    probability, unknown = model.probabilities_of(batch), model.encoder.count_unknown(model.encoder.encode(batch))
    assert len(probability) == 400
    assert unknown["Country"] == sum(value != "UK" for value in batch.categories["Country"].to_pylist())
    assert unknown["Category"] == 0


def change(**changes: Any) -> Callable[[Path], None]:
    def alter(folder: Path) -> None:
        stored = json.loads((folder / DESCRIPTION).read_text())
        (folder / DESCRIPTION).write_text(json.dumps(stored | changes))

    return alter


def change_encoder(**changes: Any) -> Callable[[Path], None]:
    def alter(folder: Path) -> None:
        stored = json.loads((folder / DESCRIPTION).read_text())
        (folder / DESCRIPTION).write_text(json.dumps(stored | {"encoder": stored["encoder"] | changes}))

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        change(features=["GoalAmount", "Mood"]),
        change(features=[column.name for column in reversed(FEATURES)]),
        change(format=2),
        change_encoder(feature_set="early"),
        change_encoder(feature_set="launch"),
        change_encoder(categories={"Category": ["Film"]}),
    ],
    ids=[
        "other columns",
        "other order",
        "other format",
        "unknown feature set",
        "other feature set",
        "other categories",
    ],
)
def test_a_model_of_another_schema_is_refused_with_a_way_out(tmp_path: Path, batch: Batch, alter: Any) -> None:
    fitted(batch)[0].save(tmp_path)
    alter(tmp_path)
    with pytest.raises(ModelMismatch) as caught:
        ScoringModel.load(tmp_path, "7")
    assert caught.value.cause.startswith("Version 7 of campaign-success was registered under another schema (")
    assert "Train again" in caught.value.remedy


def test_a_forest_of_another_width_is_refused(tmp_path: Path, batch: Batch) -> None:
    model, _ = fitted(batch, "launch")
    model.save(tmp_path)
    change(features=[column.name for column in FEATURES])(tmp_path)
    change_encoder(feature_set="published", categories=KNOWN)(tmp_path)
    assert len(features_of("launch")) < len(FEATURES)
    with pytest.raises(ModelMismatch, match="another schema"):
        ScoringModel.load(tmp_path, "7")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / DESCRIPTION).unlink(),
        lambda folder: (folder / DESCRIPTION).write_text("{"),
        lambda folder: (folder / DESCRIPTION).write_text("[]"),
        lambda folder: (folder / DESCRIPTION).write_text("{}"),
        lambda folder: (folder / DESCRIPTION).write_bytes(b"\xff"),
        change_encoder(categories=["Film"]),
        change(about=None),
        lambda folder: (folder / Forest.FILE).unlink(),
        lambda folder: (folder / Forest.FILE).write_bytes((folder / Forest.FILE).read_bytes()[:200]),
        lambda folder: (folder / Forest.FILE).write_bytes(b""),
    ],
    ids=["no description", "half a description", "a list", "nothing in it", "not text", "categories without names",
         "nothing about it", "no forest", "half a forest", "an empty forest"],
)  # fmt: skip
def test_a_damaged_model_is_refused_with_a_way_out(tmp_path: Path, batch: Batch, damage: Any) -> None:
    fitted(batch)[0].save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelMismatch) as caught:
        ScoringModel.load(tmp_path, "7")
    assert caught.value.cause.endswith(".")
    assert caught.value.remedy.endswith(".")
