import logging
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from campaign.encoding import Encoder
from campaign.errors import NoChampion
from campaign.identity import digests_of
from campaign.model import LEARNT, ScoringModel
from campaign.schema import ID, LABEL
from campaign.store import Store
from campaign.warm_up import smallest_forest
from tasks.manifest import PREDICTED, SHADOW, Manifest, Part, Rows, manifest_path
from tasks.metrics_database import database, metrics
from tasks.monitoring import shadow_quality
from tasks.monitoring.quality import ScoringVersion
from tasks.monitoring.shadow_quality import monitor_shadow_day, shadow_days_due
from tests.published import KNOWN_CATEGORIES, SCHEMA

DAY = date(2026, 11, 22)


@pytest.fixture
def store(tmp_path, own_home, monkeypatch) -> Store:
    """A day of four campaigns in the shadow, which version 3 scored."""
    store = Store((tmp_path / "store").as_uri())
    monkeypatch.setenv("CAMPAIGN_STORE", store.uri)
    monkeypatch.setenv("CAMPAIGN_SHADOW", "1")
    about = {"metrics": {"roc_auc": 0.8, "accuracy": 0.7}}
    model = ScoringModel("m", "3", SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest(), about)
    version = ScoringVersion(model, tmp_path)
    monkeypatch.setattr(ScoringVersion, "find", lambda *_: version)
    monkeypatch.setattr(shadow_quality, "get_run_logger", lambda: logging.getLogger("shadow"))
    monkeypatch.setattr("tasks.days.scheduled_day", lambda: DAY + timedelta(days=1))
    path = f"shadow/day={DAY}/part-1.parquet"
    with store.writing(path) as sink:
        pq.write_table(pa.table({ID: ["a", "b", "c", "d"], "probability": [0.9, 0.6, 0.7, 0.1]}), sink)
    part = Part(store.at(path), sink.sha256, 4)
    Manifest(str(DAY), "m", "3", [], [part], [], Rows(4, 4, 0), "2026-11-23T01:00:00+00:00", 3).publish(store, SHADOW)
    return store


def drop_outcomes(store: Store, outcomes: dict[str, int]) -> None:
    with store.writing(f"outcomes/day={DAY}/outcomes.parquet") as sink:
        pd.DataFrame({ID: [*outcomes], LABEL: [*outcomes.values()]}).to_parquet(sink, index=False)


def measured() -> dict[str, float | None]:
    with database().connect() as connection:
        rows = connection.execute(sa.select(metrics)).all()
    assert {(row.day, row.source, row.model_version) for row in rows} == {(DAY, "shadow", "3")}
    return {row.metric: row.value for row in rows}


def test_a_day_is_measured_when_it_is_new_and_when_outcomes_come(store):
    assert shadow_days_due(None, None, None) == [DAY]
    monitor_shadow_day.fn(DAY)
    assert measured() == {"rows_scored": 4}
    assert shadow_days_due(None, None, None) == []
    drop_outcomes(store, {"a": 1, "b": 0, "c": 0, "d": 0})
    assert shadow_days_due(None, None, None) == [DAY]
    monitor_shadow_day.fn(DAY)
    rows = measured()
    assert (rows["outcomes"], rows["outcomes_share"], rows["realised_roc_auc"]) == (4, 1, 1)
    assert rows["realised_log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.3, 0.9]).mean())
    assert "day_state" not in rows
    assert "unjoined" not in rows


def test_what_the_challenger_had_learnt_from_proves_nothing(store, tmp_path):
    np.save(tmp_path / LEARNT, np.sort(digests_of(pa.array(["c", "d"]))))
    drop_outcomes(store, {"a": 1, "b": 0, "c": 0, "d": 0})
    monitor_shadow_day.fn(DAY)
    assert (measured()["outcomes"], measured()["learnt_rows"]) == (2, 2)


def test_a_version_that_was_deleted_is_a_warning_and_said_once(store, monkeypatch, caplog):
    def lose(*_: object) -> None:
        raise NoChampion("m has no version 3.", "Name another.")

    monkeypatch.setattr(ScoringVersion, "find", lose)
    monitor_shadow_day.fn(DAY)
    assert f"{DAY} is not measured in the shadow: m has no version 3." in caplog.text
    assert shadow_days_due(None, None, None) == []


def test_off_no_day_is_looked_at_and_a_named_day_without_a_shadow_is_none(store, monkeypatch):
    assert shadow_days_due(DAY, None, None) == shadow_days_due(None, DAY, DAY) == [DAY]
    assert shadow_days_due(DAY - timedelta(days=1), None, None) == []
    monkeypatch.setenv("CAMPAIGN_SHADOW", "0")
    monkeypatch.setattr(Store, "days", lambda *_: pytest.fail("listed"))
    assert shadow_days_due(None, None, None) == []


def test_a_day_that_either_version_scored_again_is_measured_again_and_one_without_a_manifest_never(store):
    monitor_shadow_day.fn(DAY)
    for folder in (PREDICTED, SHADOW):
        assert shadow_days_due(None, None, None) == []
        assert shadow_days_due(None, DAY, DAY) == [DAY]  # it was asked for by name
        store.publish(manifest_path(DAY, folder), store.read(manifest_path(DAY, SHADOW)) + b" ")
        assert shadow_days_due(None, None, None) == [DAY]
        monitor_shadow_day.fn(DAY)
    under_way = DAY - timedelta(days=1)
    store.publish(f"shadow/day={under_way}/part-1.parquet", b"a part")
    assert shadow_days_due(None, None, None) == shadow_days_due(under_way, None, None) == []
