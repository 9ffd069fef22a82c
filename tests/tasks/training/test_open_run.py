from dataclasses import replace

import mlflow
import pytest

from tasks.training.open_run import describe_run, find_or_create_run, git_commit
from tasks.training.validate import Dataset
from tests.published import LAUNCH, SCHEMA


@pytest.fixture
def data(own_home, tmp_path) -> Dataset:
    own_home.mkdir()
    (tmp_path / "base.csv").write_text("a\n1\n")
    return Dataset("d1", str(tmp_path / "gathered.parquet"), str(tmp_path / "base.csv"), SCHEMA, 100, 2)


def test_a_training_takes_up_the_run_that_its_study_began_and_another_begins_its_own(data):
    run, is_new = find_or_create_run(data, 1)
    assert is_new
    assert (run.model, run.study) == ("campaign-success", "campaign-success-d1-published-1-3")
    assert find_or_create_run(data, 1) == (run, False)
    others = [find_or_create_run(data, 2), find_or_create_run(replace(data, digest="d2"), 1)]
    others.append(find_or_create_run(replace(data, schema=LAUNCH), 1))
    assert all(is_new for _, is_new in others)
    assert len({run.run_id, *(other.run_id for other, _ in others)}) == 4
    assert others[-1][0].model == "campaign-success-launch"


def test_a_run_says_what_it_learns_from_and_under_which_schema(data):
    run, _ = find_or_create_run(data, 1)
    with mlflow.start_run(run_id=run.run_id):
        describe_run(data, 1)
    logged = mlflow.get_run(run.run_id)
    assert logged.data.params["schema"] == "campaign-success"
    assert logged.data.params["schema_digest"] == SCHEMA.digest
    assert (logged.data.params["rows"], logged.data.params["feature_set"]) == ("100", "all")
    [dataset] = logged.inputs.dataset_inputs
    assert dataset.dataset.digest == "d1"
    stored = mlflow.artifacts.load_dict(f"{logged.info.artifact_uri}/schema.json")
    assert type(SCHEMA).model_validate(stored) == SCHEMA


def test_the_commit_is_that_of_the_checkout():
    commit = git_commit()
    assert commit == "" or len(commit) == 40
