"""Where MLflow looks for the artifacts of a home that was moved."""

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient

from tasks import moved_home
from tasks.moved_home import follow

ELSEWHERE = "s3://bucket/mlartifacts-of-others"


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A home that was in another folder when it logged a run and a version; one experiment is kept elsewhere."""
    client, before = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db"), "file:///before/mlartifacts"
    run = client.create_run(client.create_experiment("m", before)).info
    client.create_experiment("others", ELSEWHERE)
    client.create_registered_model("m")
    client.create_model_version("m", f"{run.artifact_uri}/model", run.run_id)
    moved_home.follow.cache_clear()
    return tmp_path


def locations(moved: Path) -> list[str]:
    """Of experiments, of the run, and of the version."""
    found = []
    with sa.create_engine(f"sqlite:///{moved}/mlflow.db", poolclass=sa.NullPool).connect() as connection:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("model_versions", "source"),
        ):
            found += connection.execute(sa.text(f"SELECT {column} FROM {table} ORDER BY {column}")).scalars()
    return found


def test_all_that_was_logged_is_where_the_home_is_now(moved, caplog):
    before, now = locations(moved), (moved / "mlartifacts").as_uri()
    caplog.set_level(logging.WARNING, "campaign.home")
    follow(f"sqlite:///{moved}/mlflow.db", now)
    assert locations(moved) == [uri.replace("file:///before/mlartifacts", now) for uri in before]
    assert sum(uri.startswith(now) for uri in locations(moved)) == 3
    assert ELSEWHERE in locations(moved)
    assert [record.getMessage() for record in caplog.records] == [
        f"The home has moved: MLflow's artifacts, which were in file:///before/mlartifacts, are in {now}."
    ]


def test_a_home_that_stayed_is_left_as_it_is(moved, caplog):
    before = locations(moved)
    follow(f"sqlite:///{moved}/mlflow.db", "file:///before/mlartifacts")
    assert locations(moved) == before
    assert not caplog.records


def test_a_home_without_records_has_none_to_change(tmp_path):
    follow(f"sqlite:///{tmp_path}/none.db", "file:///now/mlartifacts")
    assert [*tmp_path.iterdir()] == []
