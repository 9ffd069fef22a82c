"""The challenger in the shadow of an embedded home: what it leaves, what it leaves alone, how it becomes champion."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from test_retention_flow import run_deployment_of
from typer.testing import CliRunner

from campaign.schema_file import served_model
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.cli import app
from flows.monitoring import is_anything_due, monitoring
from flows.shadow_verdict import shadow_verdict
from flows.status import read_status
from flows.traffic import traffic
from flows.training import training
from tasks.manifest import SHADOW, read_manifest
from tasks.metrics_database import champions, database, metrics
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import CHALLENGER, find_champion
from tasks.monitoring import verdict_call

ROWS = 400
MONTH_END = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
DAYS = [MONTH_END, MONTH_END + timedelta(days=1)]  # of two months


@pytest.fixture(scope="module")
def second(trained: Any) -> str:
    """A version that learnt from more trials than the champion."""
    return str(training(trials=3, seed=2).version)


@pytest.fixture
def shadow(store: Store, second: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Version 1 is champion, the second one challenger in its shadow."""
    monkeypatch.setenv("CAMPAIGN_SHADOW", "1")
    client = mlflow_client()
    client.set_registered_model_alias(served_model(), CHALLENGER, second)
    yield store
    client.set_registered_model_alias(served_model(), CHALLENGER, second)


def contents(store: Store, folder: str) -> dict[str, str]:
    """The digest of each file, the time of scoring left out."""
    found = {}
    for entry in store.entries(folder):
        lines = [line for line in store.read(entry.path).split(b"\n") if b'"scored_at"' not in line]
        found[entry.path] = hashlib.sha256(b"\n".join(lines)).hexdigest()
    return found


def rows_in_shadow() -> list[Any]:
    with database().connect() as connection:
        return list(connection.execute(sa.select(metrics).where(metrics.c.source == SHADOW)))


def spoil(store: Store, day: date, chance: random.Random) -> None:
    """Have the champion of a day guess, as if it had been a bad one; its manifest stays true."""
    manifest = read_manifest(store, day)
    parts = []
    for part in manifest.parts:
        table = pq.read_table(part.uri)
        guesses = pa.array([chance.random() for _ in range(len(table))])
        table = table.set_column(table.schema.get_field_index("probability"), "probability", guesses)
        with store.writing(store.path_of(part.uri)) as sink:
            pq.write_table(table, sink, store_schema=False)
        parts.append(replace(part, sha256=sink.sha256))
    replace(manifest, parts=parts).publish(store)


def test_off_nothing_is_read_or_written(store, second):
    traffic(DAYS[0], ROWS, outcomes=True)
    assert batch_scoring()[0].shadow == ""
    monitoring(reports=False)
    assert "shadow" not in store.folders("")
    assert rows_in_shadow() == []
    assert find_champion(served_model()).number == "1"


def test_the_challenger_scores_beside_the_champion_and_changes_nothing_of_it(shadow, second, monkeypatch):
    traffic(DAYS[0], ROWS)
    monkeypatch.setenv("CAMPAIGN_SHADOW", "0")
    batch_scoring()
    alone = contents(shadow, "predictions") | contents(shadow, "quarantine")
    for entry in shadow.entries("predictions"):
        shadow.delete(entry.path)
    monkeypatch.setenv("CAMPAIGN_SHADOW", "1")
    [day] = batch_scoring()
    assert (day.model_version, day.shadow) == ("1", second)
    assert contents(shadow, "predictions") | contents(shadow, "quarantine") == alone
    predictions, challenger = read_manifest(shadow, DAYS[0]), read_manifest(shadow, DAYS[0], SHADOW)
    assert (challenger.model_version, challenger.rows) == (second, predictions.rows)
    frame = pd.concat(pd.read_parquet(part.uri) for part in challenger.parts)
    ours = pd.concat(pd.read_parquet(part.uri) for part in predictions.parts)
    assert frame["CampaignID"].tolist() == ours["CampaignID"].tolist()
    assert set(frame["model_version"]) == {second}
    assert (frame["probability"] != ours["probability"]).any()


def test_a_day_is_scored_again_in_the_shadow_when_it_is_named_and_something_changed(shadow, second):
    traffic(DAYS[0], ROWS)
    batch_scoring()
    parts = [part.sha256 for part in read_manifest(shadow, DAYS[0], SHADOW).parts]
    manifest = shadow.read(f"shadow/day={DAYS[0]}/manifest.json")
    assert [(day.reused, day.shadow) for day in batch_scoring(day=DAYS[0])] == [(True, "")]
    assert shadow.read(f"shadow/day={DAYS[0]}/manifest.json") == manifest
    for entry in shadow.entries("shadow"):
        shadow.delete(entry.path)
    assert batch_scoring() == []  # a new challenger does not rewrite history
    assert [(day.reused, day.shadow) for day in batch_scoring(day=DAYS[0])] == [(True, second)]
    assert [part.sha256 for part in read_manifest(shadow, DAYS[0], SHADOW).parts] == parts


@pytest.mark.parametrize("alias", ["none", "the champion", "a lost version"])
def test_without_a_challenger_the_day_is_scored_as_ever(shadow, second, alias, monkeypatch):
    client = mlflow_client()
    if alias == "none":
        client.delete_registered_model_alias(served_model(), CHALLENGER)
    elif alias == "the champion":
        client.set_registered_model_alias(served_model(), CHALLENGER, "1")
    else:
        monkeypatch.setattr("tasks.scoring.shadow.load_challenger", lambda *_: None)
    traffic(DAYS[0], ROWS)
    [day] = batch_scoring()
    assert (day.model_version, day.shadow) == ("1", "")
    assert "shadow" not in shadow.folders("")


def test_outcomes_are_measured_under_a_source_of_their_own_that_nobody_takes_for_the_champions(shadow, second):
    traffic(DAYS[0], ROWS, outcomes=True)
    batch_scoring()
    [day] = monitoring(reports=False).days
    assert day.model_version == "1"
    rows = {row.metric: row for row in rows_in_shadow()}
    assert {row.model_version for row in rows.values()} == {second}
    assert rows["outcomes"].value == rows["rows_scored"].value == read_manifest(shadow, DAYS[0], SHADOW).rows.scored
    assert 0.5 < rows["realised_roc_auc"].value <= 1
    assert rows["realised_log_loss"].value > 0
    assert read_status().days[-1].version == "1"
    with database().connect() as connection:
        sources = connection.execute(sa.select(metrics.c.source, metrics.c.model_version).distinct()).tuples().all()
    assert sorted(sources) == [("batch", "1"), ("shadow", second)]
    assert not is_anything_due(None, None, None)


def test_a_challenger_that_is_better_on_two_months_becomes_champion_once(shadow, second):
    for day in DAYS:
        traffic(day, ROWS, outcomes=True)
    batch_scoring()
    # The champion as it would be if it guessed: its probabilities say nothing.
    for day in DAYS:
        spoil(shadow, day, random.Random(day.toordinal()))
    output = CliRunner().invoke(app, ["monitor", "--quiet"], catch_exceptions=False).output
    assert f"Shadow: version {second}, promoted: better on" in output
    assert "realised campaigns of 2 months (ROC-AUC +0." in output
    assert find_champion(served_model()).number == second
    with database().connect() as connection:
        [change] = connection.execute(sa.select(champions).where(champions.c.version == second)).all()
    assert change.reason.endswith(", in the shadow")
    assert change.previous == "1"
    assert shadow_verdict().reason == "there is no challenger"
    assert find_champion(served_model()).number == second


def test_monitoring_of_a_deployment_calls_for_the_verdict_and_promotes_nobody(shadow, second, monkeypatch):
    for day in DAYS:
        traffic(day, ROWS, outcomes=True)
    batch_scoring()
    for day in DAYS:
        spoil(shadow, day, random.Random(day.toordinal()))
    sent: list[str] = []
    monkeypatch.setattr(verdict_call, "emit_event", lambda event, *_: sent.append(event))
    assert run_deployment_of(monitoring, monkeypatch).state.is_completed()
    assert (sent, find_champion(served_model()).number) == ([verdict_call.EVENT], "1")
    assert run_deployment_of(monitoring, monkeypatch).state.is_completed()
    assert sent == [verdict_call.EVENT] * 2  # the first may have been lost
    assert run_deployment_of(shadow_verdict, monkeypatch).state.is_completed()
    assert find_champion(served_model()).number == second
    assert run_deployment_of(monitoring, monkeypatch).state.is_completed()
    assert len(sent) == 2
