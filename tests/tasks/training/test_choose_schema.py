import pytest

from campaign.errors import BadInput
from tasks.mlflow_run import find_or_create_experiment, mlflow_client
from tasks.training.choose_schema import champions_here, find_schema, is_of_family
from tests.published import MOOD, PUBLISHED_TOML


@pytest.fixture
def home(own_home):
    own_home.mkdir()
    return own_home


def register(name: str, tags: dict[str, str], champion: bool = True) -> None:
    client = mlflow_client()
    run = client.create_run(find_or_create_experiment(client, name)).info.run_id
    client.create_registered_model(name)
    client.create_model_version(name, "nowhere", run, tags)
    if champion:
        client.set_registered_model_alias(name, "champion", "1")


@pytest.mark.parametrize(
    ("model", "related"),
    [("calls", True), ("calls-launch", True), ("calls-all", True), ("calls-two", False), ("mailings", False)],
)
def test_the_feature_sets_of_a_schema_are_models_of_one_family(model, related):
    assert is_of_family(model, "calls") is related


def test_the_schema_that_is_named_comes_before_the_homes_and_the_feature_set_is_resolved_here(home, tmp_path):
    assert find_schema(None, None).name == "campaign-success"
    (home / "campaign.toml").write_text(PUBLISHED_TOML + MOOD)
    assert find_schema(None, "published").column("Mood")
    launch = find_schema(None, "launch")
    assert (launch.name, launch.model.feature_set) == ("campaign-success-launch", "launch")
    (tmp_path / "other.toml").write_text(PUBLISHED_TOML.replace('name = "campaign-success"', 'name = "mine"'))
    assert find_schema(str(tmp_path / "other.toml"), None).name == "mine"
    with pytest.raises(BadInput, match="no feature set 'early'"):
        find_schema(None, "early")


def test_a_home_with_another_champion_is_refused_and_models_of_others_in_the_registry_are_not(home):
    register("somebody-elses", {})
    register("unfinished", {"feature_set": "launch"}, champion=False)
    assert champions_here() == []
    assert find_schema(None, None).name == "campaign-success"
    register("calls", {"feature_set": "launch"})
    assert champions_here() == ["calls"]
    with pytest.raises(BadInput, match="This home serves calls, and a home serves one model; campaign-success needs"):
        find_schema(None, None)
