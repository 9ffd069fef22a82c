"""A world on embedded defaults (SQLite, local files): what happens to it over weeks, and when its input is bad."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from campaign.errors import BadInput, CampaignError, ModelMismatch, NoChampion, StoreError
from campaign.reading import read_campaigns
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.monitoring import monitoring
from flows.traffic import traffic
from flows.training import training
from tasks.manifest import read_manifest
from tasks.measures import roc_auc
from tasks.metrics_database import champions, database, metrics
from tasks.model_versions import files_of, find_champion, find_version, load_version, make_champion
from tasks.scoring.score import input_files, load_champion
from tasks.scoring.scored_pieces import score_inputs, score_piece
from tasks.synthetic_days import write_campaigns, write_training_data
from tasks.training.promote import compare_with_champion
from tasks.training.register import Registered
from tests.flows.conftest import register_again

TODAY = datetime.now(UTC).date()
KILLED = """
import os, signal, sys
from datetime import date
from campaign.settings import Settings
from campaign.store import HashingSink, Store
from campaign.schema_file import served_model
from tasks.model_versions import load_version, require_champion
from tasks.scoring.score import input_files
from tasks.scoring.scored_pieces import score_inputs, score_piece

left = int(sys.argv[2])
write = HashingSink.write

def write_or_die(self, data):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, data)

HashingSink.write = write_or_die
store, day = Store(Settings().store), date.fromisoformat(sys.argv[1])
model = load_version(require_champion(served_model()))
score_inputs(store, day, input_files(store, day), model, lambda ps: [score_piece(store, p, model) for p in ps])
"""


@dataclass
class Embedded:
    """Version 1 is champion; the store is empty, and the metrics database too."""

    folder: Path
    store: Store

    def incoming(self, day: date) -> Path:
        return self.folder / f"incoming/day={day}/campaigns.parquet"


@pytest.fixture
def embedded(store: Store) -> Embedded:
    return Embedded(Path(store.uri.removeprefix("file://")), store)


def test_outcomes_three_weeks_late_appear_at_the_next_monitoring(embedded):
    day = TODAY - timedelta(days=22)
    traffic(day, 1_200)
    batch_scoring()
    assert monitoring(reports=False).days[0].roc_auc is None
    traffic(day, 1_200, campaigns=False, outcomes=True)
    assert [day.day for day in monitoring(reports=False).days] == [str(day)]
    with database().connect() as connection:
        query = sa.select(metrics.c.value).where(metrics.c.metric == "realised_roc_auc", metrics.c.day == day)
        assert connection.execute(query).scalar() > 0.9


def test_a_missed_week_is_caught_up(embedded):
    days = [TODAY - timedelta(days=n) for n in range(7, 0, -1)]
    for day in days:
        traffic(day, 300)
    assert [scored.day for scored in batch_scoring()] == [str(day) for day in days]


def test_a_changed_day_is_scored_again_and_an_unchanged_one_is_not(embedded):
    traffic(TODAY, 300)
    batch_scoring()
    traffic(TODAY, 400)
    assert [scored.rows.read for scored in batch_scoring()] == [400]
    assert batch_scoring() == []


def test_a_new_champion_does_not_rewrite_history_unless_asked_by_name(embedded):
    traffic(TODAY, 300)
    batch_scoring()
    second = register_again()
    make_champion(served_model(), second, "by hand")
    assert batch_scoring() == []
    assert [scored.model_version for scored in batch_scoring(day=TODAY)] == [second]


def test_a_promotion_that_is_tried_again_stays_one(embedded):
    verdict = compare_with_champion(Registered(served_model(), "1", "", ""), None, None)
    assert verdict.promoted
    assert verdict.reason


def test_a_rollback_is_on_record(embedded):
    second = register_again()
    make_champion(served_model(), second, "by hand")
    make_champion(served_model(), "1", "the second was worse")
    assert find_champion(served_model()).number == "1"
    with database().connect() as connection:
        last = connection.execute(sa.select(champions).order_by(champions.c.changed_at.desc()).limit(1)).one()
    assert (last.version, last.previous, last.reason) == ("1", second, "the second was worse")


def test_without_drift_a_retraining_does_not_sink_below_the_first_champion(embedded):
    first = load_version(find_version(served_model(), "1"))
    traffic(TODAY - timedelta(days=7), 400, outcomes=True)
    training(trials=2, seed=2)
    last = load_version(find_champion(served_model()))
    newest = max((Settings().cache / "datasets").glob("*/campaigns.parquet"), key=lambda path: path.stat().st_mtime)
    folder = newest.parent / last.schema.digest
    rows, label = np.load(folder / "test_rows.npy"), np.load(folder / "test_labels.npy")
    batches = list(read_campaigns(str(newest), last.schema))
    before, after = (
        roc_auc(label, np.concatenate([model.probabilities_of(batch) for batch in batches])[rows])
        for model in (first, last)
    )
    assert after >= before - Settings().gate_margin


def _drop_column(path: Path) -> None:
    pd.read_parquet(path).drop(columns=["GoalAmount"]).to_parquet(path)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def _as_csv(path: Path) -> None:
    pd.read_parquet(path).to_csv(path)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_rows(path: Path) -> None:
    pd.read_parquet(path).head(0).to_parquet(path)


def _moments(path: Path) -> None:
    frame = pd.read_parquet(path)
    frame.assign(GoalAmount=pd.Timestamp("2026-01-01")).to_parquet(path)


@pytest.mark.parametrize("damage", [_drop_column, _truncate, _as_csv, _empty, _moments])
def test_a_damaged_file_is_refused_by_name_and_other_days_are_scored(embedded, damage):
    bad, good = TODAY - timedelta(days=2), TODAY - timedelta(days=1)
    traffic(bad, 200)
    traffic(good, 200)
    damage(embedded.incoming(bad))
    with pytest.raises(BadInput, match=f"day={bad}/campaigns.parquet"):
        batch_scoring()
    assert read_manifest(embedded.store, bad) is None
    assert read_manifest(embedded.store, good).rows.read == 200
    assert not [entry.path for entry in embedded.store.entries(f"predictions/day={bad}", hidden=True)]


def test_a_day_on_which_nothing_came_is_one_of_no_rows(embedded):
    traffic(TODAY, 200)
    _no_rows(embedded.incoming(TODAY))
    assert batch_scoring()[0].rows.read == 0
    assert batch_scoring() == []
    assert monitoring(reports=False).days[0].verdict == "not judged: 0 rows, needs 1,000"


def test_a_day_of_bad_rows_alone_is_a_clear_outcome(embedded):
    write_campaigns(embedded.store, TODAY, 1_100, 1.0)
    path = embedded.incoming(TODAY)
    pd.read_parquet(path).assign(NumBackers=None).astype({"NumBackers": "float64"}).to_parquet(path)
    scored = batch_scoring()
    assert (scored[0].rows.scored, scored[0].rows.quarantined) == (0, 1_100)
    day = monitoring(reports=False).days[0]
    assert "NumBackers" not in day.drifted_columns
    with database().connect() as connection:
        rows = {
            (row.metric, row.column_name): row.status
            for row in connection.execute(sa.select(metrics).where(metrics.c.day == TODAY))
        }
    assert rows["column_drift", "NumBackers"] == "not computable"
    assert rows["column_drift", "GoalAmount"] == "ok"
    assert rows["prediction_drift", ""] == "too few rows"


def test_an_extra_label_column_is_no_error(embedded):
    traffic(TODAY, 200)
    path = embedded.incoming(TODAY)
    pd.read_parquet(path).assign(IsSuccessful=1, note="x").to_parquet(path)
    batch_scoring()
    assert read_manifest(embedded.store, TODAY).ignored_columns == 2


def test_without_a_champion_scoring_says_what_to_do(own_home, prefect_api):
    write_campaigns(Store(Settings().store), TODAY, 50, 1.0)
    with pytest.raises(NoChampion, match="campaign train"):
        batch_scoring()


def test_without_input_there_is_nothing_to_score(own_home, prefect_api):
    assert batch_scoring() == []


def _one_class(path: Path) -> None:
    pd.read_parquet(path).assign(IsSuccessful=1).to_parquet(path)


def _no_label(path: Path) -> None:
    pd.read_parquet(path).drop(columns=["IsSuccessful"]).to_parquet(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_one_class, "only successes"),
        (_no_label, "column IsSuccessful is missing"),
        (_truncate, "damaged or truncated"),
    ],
)
def test_data_that_nothing_can_be_learnt_from_is_refused(own_home, prefect_api, tmp_path, damage, message):
    write_training_data(Store(f"file://{tmp_path}"), 500)
    path = tmp_path / "base/campaigns.parquet"
    damage(path)
    with pytest.raises(BadInput, match=message):
        training(str(path), trials=1)


def test_a_version_of_a_later_format_is_refused(embedded):
    traffic(TODAY, 100)
    description = files_of(find_champion(served_model())) / "model.json"
    stored = json.loads(description.read_text())
    description.write_text(json.dumps(stored | {"format": 7}))
    load_champion.cache_clear()
    try:
        with pytest.raises(ModelMismatch, match="the format 7"):
            batch_scoring()
    finally:
        shutil.rmtree(description.parent)  # downloaded again when it is needed


def test_a_store_that_cannot_be_written_leaves_nothing_half_written(embedded):
    traffic(TODAY, 100)
    (embedded.folder / "predictions").write_text("a file where a folder has to be")
    with pytest.raises(StoreError, match="CAMPAIGN_STORE"):
        score_today(embedded.store)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a file system of 16 KiB")
def test_a_full_disk_leaves_no_manifest_and_no_part(embedded):
    traffic(TODAY, 40_000)
    target = embedded.folder / "predictions"
    target.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(target)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        with pytest.raises(StoreError, match="space"):
            score_today(embedded.store)
        assert embedded.store.entries("predictions", hidden=True) == []
    finally:
        subprocess.run(["umount", str(target)], check=True)


@pytest.mark.parametrize("writes", [3, 25])
def test_scoring_that_is_killed_and_repeated_leaves_the_bytes_of_an_unbroken_run(embedded, writes):
    traffic(TODAY, 2_000)
    batch_scoring()
    unbroken = digests(embedded)
    shutil.rmtree(embedded.folder / "predictions")
    shutil.rmtree(embedded.folder / "quarantine")
    script = [sys.executable, "-c", KILLED, str(TODAY), str(writes)]
    assert subprocess.run(script, env=os.environ).returncode == -signal.SIGKILL
    assert read_manifest(embedded.store, TODAY) is None
    batch_scoring()
    assert digests(embedded) == unbroken


def score_today(store: Store) -> None:
    """Without Prefect, which would wait and try again."""
    model = load_version(find_champion(served_model()))
    score_inputs(
        store,
        TODAY,
        input_files(store, TODAY),
        model,
        lambda pieces: [score_piece(store, piece, model) for piece in pieces],
    )


def digests(embedded: Embedded) -> dict[str, str]:
    parts = [
        *embedded.folder.glob("predictions/*/part-*"),
        *embedded.folder.glob("quarantine/*/part-*"),
    ]
    return {path.name + path.parts[-3]: hashlib.sha256(path.read_bytes()).hexdigest() for path in parts}


def test_every_error_has_a_cause_and_a_remedy():
    error = CampaignError("The cause.", "The remedy.")
    assert str(error) == "The cause. The remedy."
