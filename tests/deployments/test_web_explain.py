import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from campaign import synthetic
from campaign.batch import Batch
from campaign.encoding import Encoder
from campaign.ensemble import Ensemble, with_score
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.schema_file import parse_schema
from deployments.web_service.explanation import explain
from deployments.web_service.live_model import LiveModel
from tasks.training.linear_part import fit_linear
from tests.published import CATEGORIES, FEATURES, KNOWN_CATEGORIES, NUMBERS, SCHEMAS

CAMPAIGN: dict[str, Any] = {
    "GoalAmount": 20_000.0,
    "RaisedAmount": 19_400.0,
    "DurationDays": 30.0,
    "NumBackers": 400.0,
    "Category": "Film",
    "LaunchMonth": "May",
    "Country": "USA",
    "Currency": "USD",
    "OwnerExperience": 3.0,
    "VideoIncluded": "Yes",
    "SocialMediaPresence": 5_000.0,
    "NumUpdates": 4.0,
}
CASES = {
    "nearly there": {},
    "nothing raised yet": {"RaisedAmount": 0.0},
    "no goal and nothing raised": {"GoalAmount": 0.0, "RaisedAmount": 0.0},
    "far more than asked for": {"GoalAmount": 1_200.5, "RaisedAmount": 2_000_000.0},
    "amounts as large as a float32 holds": {"GoalAmount": float(np.finfo(np.float32).max), "RaisedAmount": 1e38},
    "a category that training never saw": {"Category": "Podcast"},
}


def read(path: Path, frame: pd.DataFrame, feature_set: str = "published", label: bool = False) -> Batch:
    frame.to_parquet(path, index=False)
    return next(read_campaigns(str(path), SCHEMAS[feature_set], label=label))


def fitted(feature_set: str, folder: Path) -> ScoringModel:
    """A forest that learnt from enough campaigns to know what decides."""
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(6_000, seed=3)), folder / "a.parquet")
    batch = next(read_campaigns(str(folder / "a.parquet"), SCHEMAS[feature_set], label=True))
    seen = KNOWN_CATEGORIES
    encoder = Encoder.fit(SCHEMAS[feature_set].features, seen)
    forest = RandomForestClassifier(20, max_features=None, random_state=1).fit(encoder.encode(batch), batch.label)
    return ScoringModel("campaign-success", "7", SCHEMAS[feature_set], encoder, Forest.from_sklearn(forest))


def explained(model: ScoringModel, campaign: Mapping[str, Any]) -> dict[str, Any]:
    return explain(LiveModel(model, 0), campaign)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> ScoringModel:
    return fitted("published", tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> ScoringModel:
    return fitted("launch", tmp_path_factory.mktemp("launch"))


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory, launch: ScoringModel) -> ScoringModel:
    """The same columns, by a linear part and a forest that sees its score."""
    folder, schema = tmp_path_factory.mktemp("ensemble"), SCHEMAS["launch"]
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(3_000, seed=3)), folder / "a.parquet")
    batch = next(read_campaigns(str(folder / "a.parquet"), schema, label=True))
    X, y = launch.encoder.encode(batch), np.asarray(batch.label, np.int8)
    linear = fit_linear(launch.encoder, X, y, None)
    forest = RandomForestClassifier(20, random_state=1).fit(with_score(linear.predict(X), X), y)
    return replace(launch, predictor=Ensemble(linear, Forest.from_sklearn(forest), 0.3))


@pytest.fixture(params=["published", "launch", "ensemble"])
def model(request: pytest.FixtureRequest) -> ScoringModel:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["published", "launch"])
def forest_model(request: pytest.FixtureRequest) -> ScoringModel:
    return request.getfixturevalue(request.param)


def feature_set_of(model: ScoringModel) -> str:
    return "published" if len(model.schema.features) == 12 else "launch"


def scored(model: ScoringModel, campaigns: list[Mapping[str, Any]], folder: Path) -> np.ndarray:
    """What the model says of campaigns that come the ordinary way, out of a file."""
    batch = read(folder / "asked.parquet", pd.DataFrame(campaigns), feature_set_of(model))
    assert not batch.reasons
    return model.probabilities_of(batch)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_contributions_and_baseline_add_up_to_the_probability(model: ScoringModel, case: dict[str, Any]) -> None:
    explanation = explained(model, CAMPAIGN | case)
    total = explanation["baseline"] + sum(share["contribution"] for share in explanation["contributions"])
    assert total == pytest.approx(explanation["probability"], abs=1e-9)
    assert sorted(share["field"] for share in explanation["contributions"]) == sorted(
        column.name.lower() for column in model.encoder.features
    )
    sizes = [abs(share["contribution"]) for share in explanation["contributions"]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_curves_say_what_the_model_says_at_each_of_their_points(
    model: ScoringModel, case: dict[str, Any], tmp_path: Path
) -> None:
    campaign = CAMPAIGN | case
    explanation = explained(model, campaign)
    [alone] = scored(model, [campaign], tmp_path)
    assert explanation["probability"] == alone
    assert explanation["success"] is bool(alone > 0.5)
    for curve in explanation["curves"]:
        [name] = [column.name for column in FEATURES if column.name.lower() == curve["field"]]
        expected = scored(model, [campaign | {name: amount} for amount in curve["x"]], tmp_path)
        np.testing.assert_array_equal(curve["probability"], expected)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_curve_spans_the_present_amount_and_the_place_where_goal_and_raised_meet(
    model: ScoringModel, case: dict[str, Any]
) -> None:
    campaign = CAMPAIGN | case
    for curve in explained(model, campaign)["curves"]:
        present = campaign["GoalAmount" if curve["field"] == "goalamount" else "RaisedAmount"]
        assert curve["x"][curve["at"]] == present
        assert len(curve["x"]) == len(curve["probability"])
        assert 60 <= len(curve["x"]) <= 100
        assert all(left < right for left, right in zip(curve["x"], curve["x"][1:], strict=False))
        if len(model.schema.features) == 12:
            assert {campaign["GoalAmount"], campaign["RaisedAmount"]} <= set(curve["x"])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_answer_is_json(model: ScoringModel, case: dict[str, Any]) -> None:
    explanation = explained(model, CAMPAIGN | case)
    assert json.loads(json.dumps(explanation, allow_nan=False)) == explanation
    assert explanation["model_version"] == "7"


def test_each_fact_comes_with_its_value(model: ScoringModel) -> None:
    explanation = {share["field"]: share["value"] for share in explained(model, CAMPAIGN)["contributions"]}
    assert explanation == {column.name.lower(): CAMPAIGN[column.name] for column in model.encoder.features}


def test_goal_and_raised_decide_where_the_model_sees_both(published: ScoringModel) -> None:
    explanation = explained(published, CAMPAIGN)
    sizes = {share["field"]: abs(share["contribution"]) for share in explanation["contributions"]}
    assert sizes["goalamount"] + sizes["raisedamount"] > 0.9 * sum(sizes.values())
    goal, raised = explanation["curves"]
    assert (goal["field"], raised["field"]) == ("goalamount", "raisedamount")
    assert goal["probability"][0] > 0.9 > 0.1 > goal["probability"][-1]
    assert raised["probability"][0] < 0.1 < 0.9 < raised["probability"][-1]


def test_a_model_of_what_is_known_at_launch_has_nine_facts_and_no_curve_of_the_amount_raised(
    launch: ScoringModel,
) -> None:
    explanation = explained(launch, CAMPAIGN)
    assert [curve["field"] for curve in explanation["curves"]] == ["goalamount"]
    assert len(explanation["contributions"]) == 9
    known = {column.name: CAMPAIGN[column.name] for column in launch.encoder.features}
    assert explained(launch, known) == explanation


def test_the_baseline_is_the_mean_over_rows_of_the_models_own_reference(model: ScoringModel, tmp_path: Path) -> None:
    reference = pa.Table.from_batches(synthetic.campaigns(300, seed=5))
    live = LiveModel(model, 0, reference)
    explanation = explain(live, CAMPAIGN)
    everywhere = scored(model, reference.to_pylist(), tmp_path)
    assert explanation["baseline"] == pytest.approx(model.predict(live.background).mean(), abs=1e-12)
    assert np.isin(model.predict(live.background), everywhere).all()
    assert "starting from 128 campaigns" in explanation["method"]


def test_without_a_reference_the_background_is_drawn_from_what_training_saw(launch: ScoringModel) -> None:
    columns = {name: {"quantiles": [5.0] * 5 + [6.0] * 6, "missing": 0} for name in NUMBERS}
    categories = {name: {"categories": {launch.encoder.categories[name][1]: 9}, "missing": 0} for name in CATEGORIES}
    seen = {name: described["categories"] for name, described in categories.items()}
    encoder = Encoder(launch.schema.features, {name: tuple(names) for name, names in seen.items()})
    background = LiveModel(replace(launch, encoder=encoder, columns=columns | categories), 0).background
    assert background.min() >= 0
    assert 5 <= background[:, 0].min() <= background[:, 0].max() <= 6


@pytest.mark.parametrize("most", [64, 63])
def test_more_facts_than_contributions_can_be_computed_for_are_answered_with_a_sentence_and_curves(most: int) -> None:
    columns = "".join(
        f'[[column]]\nname = "x{n}"\ntype = "number"\nknown = "at launch"\nnullable = {"true" if n else "false"}\n'
        for n in range(most + 1)
    )
    schema = parse_schema(
        f'[model]\nname = "wide"\n[outcome]\ncolumn = "y"\nsuccess = ["yes"]\nfailure = ["no"]\n{columns}'
    )
    X = np.random.default_rng(1).random((400, most + 1)).astype(np.float32)
    y = (X[:, 3] > 0.5).astype(np.int8)
    linear = fit_linear(Encoder(schema.features, {}), X, y, None) if most == 63 else None
    seen_by_trees = X if linear is None else with_score(linear.predict(X), X)
    forest = Forest.from_sklearn(RandomForestClassifier(5, max_features=None, random_state=1).fit(seen_by_trees, y))
    seen = {f"x{n}": {"quantiles": [at / 10 for at in range(11)], "missing": 0} for n in range(most + 1)}
    predictor = forest if linear is None else Ensemble(linear, forest)
    live = LiveModel(ScoringModel("wide", "1", schema, Encoder(schema.features, {}), predictor, columns=seen), 0)
    explanation = explain(live, {"x0": 0.5, "x3": 0.2})
    assert explanation["contributions"] == []
    assert (
        explanation["method"]
        == f"What each fact contributes is worked out for up to {most} facts; this model has {most + 1}."
    )
    assert len(explanation["curves"]) == 2
    assert explanation["curves"][0]["field"] == "x3"  # what moves this prediction most


def test_contributions_are_the_shapley_values(forest_model: ScoringModel, tmp_path: Path) -> None:
    """Against their definition: every set of facts put in place, weighed by the orders that pass through it."""
    model = forest_model
    n = len(model.encoder.features)
    rows = model.encoder.encode(
        read(tmp_path / "a.parquet", next(synthetic.campaigns(6, seed=9)).to_pandas(), feature_set_of(model))
    )
    row, background = rows[0], rows[1:]
    sets = np.arange(1 << n)
    present = (sets[:, None] >> np.arange(n) & 1).astype(bool)
    value = np.mean([model.predict(np.where(present, row, other)) for other in background], axis=0)
    expected = np.zeros(n)
    for at in range(n):
        without = sets[~present[:, at]]
        size = present[without].sum(axis=1)
        weight = np.array([factorial(k) * factorial(n - 1 - k) / factorial(n) for k in range(n)])[size]
        expected[at] = (weight * (value[without | 1 << at] - value[without])).sum()
    np.testing.assert_allclose(model.contributions(row, background), expected, rtol=0, atol=1e-9)
    assert np.abs(expected).max() > 0.01


def test_two_facts_that_matter_only_together_share_alike() -> None:
    """Success only if both are 1, from a background where both are 0: a half each, whatever the order in the tree."""
    rows = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)] * 10, np.float32)
    grown = RandomForestClassifier(7, random_state=2).fit(rows, (rows[:, 0] * rows[:, 1]).astype(int))
    forest = Forest.from_sklearn(grown)
    shares = forest.contributions(np.ones(3, np.float32), np.zeros((4, 3), np.float32))
    moved = np.diff(forest.predict(np.array([[0, 0, 0], [1, 1, 1]], np.float32)))[0]
    orders = [np.diff(forest.predict(np.tri(4, 3, -1, np.float32)[:, np.argsort(o)])) for o in permutations(range(3))]
    expected = np.mean([step[list(np.argsort(o))] for step, o in zip(orders, permutations(range(3)), strict=True)], 0)
    assert shares.sum() == pytest.approx(moved, abs=1e-12)
    np.testing.assert_allclose(shares, expected, atol=1e-12)
    assert shares[0] == pytest.approx(0.5, abs=0.1)
    assert shares[1] == pytest.approx(0.5, abs=0.1)


def test_a_forest_with_more_features_than_a_set_has_bits_is_refused() -> None:
    rows = np.random.default_rng(1).random((40, 65)).astype(np.float32)
    forest = Forest.from_sklearn(RandomForestClassifier(2, random_state=1).fit(rows, rows[:, 0] > 0.5))
    with pytest.raises(ValueError, match="65 features"):
        forest.contributions(rows[0], rows[1:])
