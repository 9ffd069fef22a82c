from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa
import pytest

from campaign.identity import digests_of
from campaign.schema import ID, LABEL
from campaign.store import Store
from tasks.learnt_ids import LearntIds
from tasks.monitoring.captured import describe_answers, label_answers, read_answers
from tasks.outcomes import Outcomes
from tests.published import SCHEMA

DAY = date(2026, 11, 22)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path.as_uri())


def put(store: Store, path: str, frame: pd.DataFrame) -> None:
    with store.writing(path) as sink:
        pa.parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)


def answers(*rows: tuple) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["prediction_id", ID, "probability", "hour"])
    moments = [datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in frame.pop("hour")]
    return frame.assign(answered_at=moments)


def test_an_answer_that_two_files_repeat_counts_once(store):
    put(store, f"captured/day={DAY}/a.parquet", answers(("p1", "c1", 0.1, 1), ("p2", "c2", 0.2, 2)))
    put(store, f"captured/day={DAY}/b.parquet", answers(("p2", "c2", 0.2, 2), ("p3", None, 0.3, 3)))
    assert read_answers(store, DAY)["prediction_id"].tolist() == ["p1", "p2", "p3"]


def test_answers_of_models_with_other_columns_are_read_together(store):
    put(store, f"captured/day={DAY}/a.parquet", answers(("p1", "c1", 0.1, 1)).assign(goal=1.0))
    put(store, f"captured/day={DAY}/b.parquet", answers(("p2", "c2", 0.2, 2)).assign(mood=2.0))
    assert read_answers(store, DAY)["mood"].isna().tolist() == [True, False]


def test_of_somebody_who_tries_other_goals_the_last_answer_is_judged(tmp_path):
    pd.DataFrame({ID: ["c1", "c2"], LABEL: [1, 0]}).to_parquet(tmp_path / "o.parquet")
    outcomes = Outcomes.read((str(tmp_path / "o.parquet"),), SCHEMA)
    asked = answers(("p1", "c1", 0.9, 5), ("p2", "c1", 0.4, 3), ("p3", "c2", 0.2, 1), ("p4", None, 0.7, 1))
    label, probability, rows = label_answers(asked, outcomes).labelled.pairs()
    assert list(zip(label.tolist(), probability.tolist(), rows.tolist(), strict=True)) == [(0, 0.2, 1), (1, 0.9, 1)]


def test_an_answer_about_a_campaign_that_the_version_learnt_from_is_left_out(tmp_path):
    pd.DataFrame({ID: ["c1", "c2"], LABEL: [1, 0]}).to_parquet(tmp_path / "o.parquet")
    outcomes = Outcomes.read((str(tmp_path / "o.parquet"),), SCHEMA)
    asked, learnt = answers(("p1", "c1", 0.9, 5), ("p2", "c2", 0.4, 3)), LearntIds(digests_of(pa.array(["c2"])))
    label, probability, rows = label_answers(asked, outcomes, learnt).labelled.pairs()
    assert list(zip(label.tolist(), probability.tolist(), rows.tolist(), strict=True)) == [(1, 0.9, 1)]


def test_new_answers_make_another_day_of_it(store):
    put(store, f"captured/day={DAY}/a.parquet", answers(("p1", "c1", 0.1, 1)))
    first = describe_answers(store, DAY)
    put(store, f"captured/day={DAY}/b.parquet", answers(("p2", "c1", 0.1, 1)))
    assert describe_answers(store, DAY) != first
