from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE

from campaign.errors import ModelMismatch, NoChampion
from campaign.settings import Settings
from tasks.metrics_database import champions, database
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import (
    files_of,
    find_challenger,
    find_champion,
    find_version,
    list_versions,
    make_champion,
    require_champion,
)

MODEL = "model"


@pytest.fixture(scope="module")
def registry(own_registry: Path) -> Path:
    """A registry with three versions: two are ours, and the third has nothing beside its MLmodel."""
    folder = own_registry
    client = mlflow_client()
    client.create_registered_model(MODEL)
    experiment = client.create_experiment("model", (folder / "artifacts").as_uri())
    for number, extra in enumerate(["extra_files", "extra_files", "elsewhere"]):
        source = folder / f"model-{number}"
        (source / extra).mkdir(parents=True)
        (source / extra / "model.json").write_text(str(number))
        (source / "MLmodel").write_text("flavors: {}\n")
        run = client.create_run(experiment).info.run_id
        client.create_model_version(MODEL, str(source), run)
    return folder


@pytest.fixture
def no_champion(registry) -> None:
    mlflow_client().delete_registered_model_alias(MODEL, "champion")
    with database().begin() as connection:
        connection.execute(sa.delete(champions))


@pytest.mark.usefixtures("no_champion")
@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nobody", r"^nobody has no champion yet\. Train one first: `campaign train`\.$"),
        (MODEL, rf"^{MODEL} has 3 versions and no champion: .* Name one: `campaign champion set 3`; or train another"),
    ],
)
def test_without_a_champion_the_remedy_is_to_train_or_to_name_one(model, said):
    assert find_champion(model) is None
    with pytest.raises(NoChampion, match=said):
        require_champion(model)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(("model", "existing"), [(MODEL, "3, 2, 1"), ("nobody", "none")])
def test_a_version_that_is_not_there_is_answered_with_those_that_are(model, existing):
    with pytest.raises(NoChampion, match=f"{model} has no version 9 .there is: {existing}."):
        find_version(model, "9")


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("number", ["01", "v1", " 1 "])
def test_a_version_may_be_written_as_people_do(number):
    assert find_version(MODEL, number).number == "1"


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("number", ["0", "v", "", "one"])
def test_what_is_no_number_is_no_version(number):
    with pytest.raises(NoChampion, match="there is: 3, 2, 1"):
        find_version(MODEL, number)


@pytest.mark.usefixtures("no_champion")
def test_who_gave_way_to_whom_is_written_down(monkeypatch):
    monkeypatch.setenv("CAMPAIGN_MODEL", MODEL)
    for number, reason in (("1", "first"), ("2", "better"), ("1", "rolled back")):
        make_champion(MODEL, number, reason)
        assert require_champion(MODEL).number == number
    with database().connect() as connection:
        rows = connection.execute(sa.select(champions).order_by(champions.c.changed_at)).all()
    assert [(row.version, row.previous, row.reason) for row in rows] == [
        ("1", None, "first"), ("2", "1", "better"), ("1", "2", "rolled back")
    ]  # fmt: skip
    promoted = [version for version in list_versions(MODEL) if version.promoted_at]
    assert [(version.number, version.tags["promoted_because"]) for version in promoted] == [
        ("2", "better"), ("1", "rolled back")
    ]  # fmt: skip


@pytest.mark.usefixtures("no_champion")
def test_a_promotion_that_is_repeated_is_on_record_once(monkeypatch):
    monkeypatch.setenv("CAMPAIGN_MODEL", MODEL)
    for reason in ("first", "tried again"):
        make_champion(MODEL, "1", reason)
    with database().connect() as connection:
        [row] = connection.execute(sa.select(champions)).all()
    assert (row.version, row.previous, row.reason) == ("1", None, "first")
    assert require_champion(MODEL).tags["promoted_because"] == "first"


@pytest.mark.usefixtures("no_champion")
def test_who_is_champion_of_another_model_is_no_news_of_the_one_that_scores(monkeypatch):
    monkeypatch.setenv("CAMPAIGN_MODEL", "another")
    make_champion(MODEL, "1", "first")
    assert require_champion(MODEL).number == "1"
    with database().connect() as connection:
        assert connection.execute(sa.select(champions)).all() == []


class Registry:
    """Answers as MLflow does: with these versions, and with an error to who asks for the champion."""

    def __init__(self, versions: list[str], error: MlflowException | None = None) -> None:
        self.versions, self.error = versions, error

    def search_model_versions(self, *_: object, **__: object) -> list[object]:
        return [
            SimpleNamespace(name=MODEL, version=number, run_id="r", tags={}, creation_timestamp=0)
            for number in self.versions
        ]

    def get_model_version_by_alias(self, *_: object) -> object:
        raise self.error


def test_version_10_is_newer_than_9(monkeypatch):
    monkeypatch.setattr("tasks.model_versions.mlflow_client", lambda: Registry(["9", "10", "1"]))
    assert [version.number for version in list_versions(MODEL)] == ["10", "9", "1"]


@pytest.mark.usefixtures("far_from_utc")
def test_when_a_version_was_registered_is_told_in_utc_as_all_moments_are(monkeypatch):
    monkeypatch.setattr("tasks.model_versions.mlflow_client", lambda: Registry(["1"]))
    [version] = list_versions(MODEL)
    assert version.created.isoformat() == "1970-01-01T00:00:00+00:00"


FORBIDDEN = "API request to endpoint /api failed with error code 403 != 200. Response body: 'Permission denied'"


@pytest.mark.parametrize(
    ("error", "versions", "is_answer"),
    [
        (MlflowException("no alias", RESOURCE_DOES_NOT_EXIST), ["1"], True),
        (MlflowException("no alias", INVALID_PARAMETER_VALUE), ["1"], True),
        (MlflowException(FORBIDDEN), [], True),  # so MLflow with logins says of a model that is not there
        (MlflowException(FORBIDDEN), ["1"], False),
        (MlflowException("API request to http://mlflow failed: Connection refused"), [], False),
        (MlflowException("busy", TEMPORARILY_UNAVAILABLE), [], False),
    ],
)
def test_a_registry_that_is_away_is_not_taken_for_one_without_a_champion(monkeypatch, error, versions, is_answer):
    """The next version would be promoted unjudged."""
    monkeypatch.setattr("tasks.model_versions.mlflow_client", lambda: Registry(versions, error))
    if is_answer:
        assert find_champion(MODEL) is None
    else:
        with pytest.raises(MlflowException):
            find_champion(MODEL)


@pytest.mark.usefixtures("registry")
def test_the_files_of_a_version_are_downloaded_once(monkeypatch):
    folder = files_of(find_version(MODEL, "2"))
    assert (folder / "model.json").read_text() == "1"
    monkeypatch.delattr("mlflow.artifacts.download_artifacts")
    assert files_of(find_version(MODEL, "2")) == folder


@pytest.mark.usefixtures("registry")
def test_a_version_of_another_project_is_refused_and_leaves_nothing():
    with pytest.raises(ModelMismatch, match="Version 3 of model has no flat forest to score with"):
        files_of(find_version(MODEL, "3"))
    assert not [*(Settings().cache / "models" / MODEL).glob("*3-*")]


def test_a_challenger_is_one_until_it_is_champion(no_champion):
    assert find_challenger(MODEL) is None
    client = mlflow_client()
    client.set_registered_model_alias(MODEL, "challenger", "2")
    assert find_challenger(MODEL).number == "2"
    make_champion(MODEL, "1", "first")
    assert find_challenger(MODEL).number == "2"
    make_champion(MODEL, "2", "better")
    assert find_challenger(MODEL) is None
    client.delete_registered_model_alias(MODEL, "challenger")
