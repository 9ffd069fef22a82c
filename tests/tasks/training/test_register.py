import pytest

from campaign.schema_file import parse_schema
from tasks.mlflow_run import Run, find_or_create_experiment, mlflow_client
from tasks.training.register import create_version, describe_model, signature_of
from tests.published import MOOD, PUBLISHED_TOML, SCHEMA


def test_the_signature_asks_for_every_feature_but_nullable_ones():
    schema = parse_schema(PUBLISHED_TOML + MOOD.replace("minimum = 0", "nullable = true"))
    inputs = {column.name: column for column in signature_of(schema.features).inputs}
    assert [*inputs] == [column.name for column in schema.features]
    assert (inputs["GoalAmount"].type.name, inputs["Category"].type.name) == ("double", "string")
    assert [name for name, column in inputs.items() if not column.required] == ["Mood"]


def test_a_second_version_joins_the_registered_model(own_home):
    own_home.mkdir()
    client = mlflow_client()
    run = Run(client.create_run(find_or_create_experiment(client, "m")).info.run_id, "study", "m")
    logged = type("Logged", (), {"model_uri": "nowhere", "model_id": None})
    versions = [create_version(client, run, logged, {"digest": digest}) for digest in ("a", "b")]
    assert [str(version.version) for version in versions] == ["1", "2"]
    assert client.get_model_version("m", "2").tags["digest"] == "b"


@pytest.mark.parametrize("made_up", [True, False])
def test_a_model_says_what_it_learnt_from_how_good_it_is_and_by_what_it_was_split(card_facts, made_up):
    fitted, scores, data, explored = card_facts(made_up=made_up, available=400)
    about = describe_model(fitted, scores, None, data, explored, ["asked"])
    assert about["made_up"] is made_up
    assert (about["origin"], about["rows_test"]) == ("base.csv", 20)
    assert (about["rows_fitted"], about["rows_to_fit"]) == (80, 400)  # a sample was fitted
    assert (about["base_rate"], about["metrics"]["roc_auc"]) == (0.25, 0.9)
    assert about["decisive"] == [("RaisedAmount", "GoalAmount")]
    assert about["split_by"] == "the normal form of ids"
    assert data.schema == SCHEMA
