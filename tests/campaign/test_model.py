import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from campaign import synthetic
from campaign.batch import Batch
from campaign.encoding import Encoder
from campaign.errors import ModelMismatch
from campaign.forest import Forest
from campaign.model import DESCRIPTION, ScoringModel
from campaign.reading import read_campaigns
from campaign.schema import Schema
from campaign.schema_file import parse_schema
from campaign.warm_up import smallest_ensemble
from tests.published import FEATURES, KNOWN_CATEGORIES, LAUNCH, PUBLISHED_TOML, SCHEMA

KNOWN = KNOWN_CATEGORIES
EXTENDED = parse_schema(
    PUBLISHED_TOML.replace("decide = 0.5", "decide = { share = 0.1 }")
    + """
[[column]]
name = "GoalADay"
type = "number"
known = "at launch"
derive = { ratio = ["GoalAmount", "DurationDays"] }
nullable = true
"""
)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    path = tmp_path_factory.mktemp("data") / "a.parquet"
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(400)), path)
    return next(read_campaigns(str(path), EXTENDED, label=True))


def fitted(batch: Batch, schema: Schema = SCHEMA, **seen: Any) -> tuple[ScoringModel, RandomForestClassifier]:
    encoder = Encoder.fit(schema.features, KNOWN | seen)
    forest = RandomForestClassifier(n_estimators=5, random_state=1).fit(encoder.encode(batch), batch.label)
    about, columns = {"rows": 400}, {"GoalAmount": {"quantiles": [1.0, 2.0], "missing": 0}}
    return ScoringModel(schema.name, "7", schema, encoder, Forest.from_sklearn(forest), about, 0.4, columns), forest


@pytest.mark.parametrize("schema", [SCHEMA, LAUNCH, EXTENDED], ids=["published", "launch", "another"])
def test_a_stored_model_scores_as_the_one_that_was_fitted(tmp_path: Path, batch: Batch, schema: Schema) -> None:
    model, forest = fitted(batch, schema)
    files = model.save(tmp_path / "model")
    loaded = ScoringModel.load(tmp_path / "model", "7")
    np.testing.assert_array_equal(loaded.probabilities_of(batch), model.probabilities_of(batch))
    expected = forest.predict_proba(model.encoder.encode(batch))[:, 1]
    np.testing.assert_allclose(loaded.probabilities_of(batch), expected, rtol=0, atol=1e-12)
    assert (loaded.name, loaded.version, loaded.encoder) == (schema.name, "7", model.encoder)
    assert (loaded.schema, loaded.schema.digest) == (schema, schema.digest)
    assert (loaded.threshold, loaded.columns, loaded.about) == (0.4, model.columns, {"rows": 400})
    assert sorted(files) == sorted((tmp_path / "model").iterdir())


def test_a_success_is_what_lies_above_the_models_own_threshold(batch: Batch) -> None:
    model, _ = fitted(batch)
    predictions, _ = model.predictions_of(batch)
    probability = predictions["probability"].to_numpy()
    assert predictions["success"].to_pylist() == (probability > 0.4).astype(int).tolist()
    assert 0 < sum(probability > 0.4) < 400


@pytest.mark.parametrize(("linear", "rare", "number"), [(False, False, 2), (True, False, 3), (False, True, 3)])
def test_a_forest_alone_keeps_the_format_that_older_code_reads(
    tmp_path: Path, batch: Batch, linear: bool, rare: bool, number: int
) -> None:
    model, _ = fitted(batch)
    if linear:
        model = replace(model, predictor=smallest_ensemble())
    if rare:
        model = replace(model, encoder=replace(model.encoder, rare={"Category": (1, 3)}))
    model.save(tmp_path / "model")
    assert json.loads((tmp_path / "model" / DESCRIPTION).read_text())["format"] == number
    loaded = ScoringModel.load(tmp_path / "model", "7")
    np.testing.assert_array_equal(loaded.probabilities_of(batch), model.probabilities_of(batch))
    assert loaded.encoder == model.encoder


def test_a_folder_that_is_written_again_is_read_as_what_it_holds_now(tmp_path: Path, batch: Batch) -> None:
    """Its files from before are of another kind, and stay."""
    forest, _ = fitted(batch)
    ensemble = replace(forest, predictor=smallest_ensemble())
    for model in (forest, ensemble, forest):
        model.save(tmp_path)
        loaded = ScoringModel.load(tmp_path, "7")
        np.testing.assert_array_equal(loaded.probabilities_of(batch), model.probabilities_of(batch))
    ensemble.save(tmp_path / "below")
    change(predictor="../forest.npz")(tmp_path / "below")
    with pytest.raises(ModelMismatch, match="damaged"):
        ScoringModel.load(tmp_path / "below", "7")


FORMAT_1 = Path(__file__).with_name("format-1")


def test_a_model_from_before_models_carried_their_schema_is_read_under_the_published_one() -> None:
    """The bundle was exported by the commit before that."""
    model = ScoringModel.load(FORMAT_1, "1")
    recorded = pq.read_table(FORMAT_1 / "reference.parquet")
    (batch,) = read_campaigns(str(FORMAT_1 / "reference.parquet"), model.schema)
    assert np.abs(model.probabilities_of(batch) - recorded.column("probability").to_numpy()).max() < 1e-12
    assert (model.name, model.schema, model.threshold) == ("campaign-success", SCHEMA, 0.5)
    assert not model.splits_by_normal_form


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
    ("alter", "unknown"),
    [
        (change(format=4), "has the format 4, which this version of the project does not know."),
        (change(calibration=[0.1]), "has the key calibration, which this version of the project does not know."),
        (change(schema={"model": {"name": "m", "moods": 2}}), 'there is no key "moods"'),
    ],
    ids=["format", "key", "key of the schema"],
)
def test_what_the_code_does_not_know_is_refused_by_name(tmp_path: Path, batch: Batch, alter: Any, unknown: str) -> None:
    fitted(batch)[0].save(tmp_path)
    alter(tmp_path)
    with pytest.raises(ModelMismatch) as caught:
        ScoringModel.load(tmp_path, "7")
    assert unknown in caught.value.cause
    assert "train again" in caught.value.remedy


@pytest.mark.parametrize(
    "alter",
    [
        change(features=["GoalAmount", "Mood"]),
        change(features=[column.name for column in reversed(FEATURES)]),
        change_encoder(feature_set="early"),
        change_encoder(feature_set="launch"),
        change_encoder(categories={"Category": ["Film"]}),
    ],
    ids=["other columns", "other order", "unknown feature set", "other feature set", "other categories"],
)
def test_a_model_from_before_of_another_schema_is_refused_with_a_way_out(tmp_path: Path, alter: Any) -> None:
    shutil.copytree(FORMAT_1, tmp_path, dirs_exist_ok=True)
    alter(tmp_path)
    with pytest.raises(ModelMismatch) as caught:
        ScoringModel.load(tmp_path, "7")
    assert caught.value.cause.startswith("Version 7 of campaign-success was registered under another schema (")
    assert "Train again" in caught.value.remedy


def test_a_forest_of_another_width_is_refused(tmp_path: Path, batch: Batch) -> None:
    model, _ = fitted(batch, LAUNCH)
    model.save(tmp_path)
    change(schema=SCHEMA.to_table(), encoder={"categories": KNOWN})(tmp_path)
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
