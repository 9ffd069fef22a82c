"""One day broken in each way that people report; what the others get in the same run."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from campaign.errors import BadInput, NoChampion
from campaign.schema import ID, LABEL
from campaign.schema_file import home_schema
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.monitoring import monitoring
from flows.status import read_status
from flows.traffic import traffic
from tasks.labelled_days import find_labelled_days
from tasks.manifest import read_manifest
from tasks.metrics_database import database, metrics
from tasks.monitoring.retraining_call import count_outcomes, find_unjoined
from tasks.training.ingest import Sources
from tasks.training.validate import gather

ROWS = 1_200
BROKEN, OTHER = (datetime.now(UTC).date() - timedelta(days=n) for n in (2, 1))


def table_of(store: Store, path: str) -> pa.Table:
    return pq.read_table(io.BytesIO(store.read(path)))


def put(store: Store, path: str, table: pa.Table) -> None:
    with store.writing(path) as sink:
        pq.write_table(table, sink)


def metric(name: str, day: date = BROKEN) -> tuple[float, str]:
    with database().connect() as connection:
        wanted = sa.select(metrics.c.value, metrics.c.status).where(metrics.c.day == day, metrics.c.metric == name)
        return tuple(connection.execute(wanted.where(metrics.c.column_name == "")).one())


def learnt(store: Store, folder) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """What a training would take of each day, and what it would say."""
    sources = Sources("here", store.at("base/campaigns.parquet"), find_labelled_days(store))
    data, _ = gather(sources, folder, home_schema())
    return data.days, data.unjoined, data.remarks


@pytest.fixture
def days(store) -> Store:
    """Two days, both with outcomes; and what to begin with, for a training."""
    for day in (BROKEN, OTHER):
        traffic(day, ROWS, outcomes=True)
    put(store, "base/campaigns.parquet", pa.concat_tables([
        table_of(store, f"incoming/day={OTHER}/campaigns.parquet").slice(0, 400).append_column(
            LABEL, pa.array([0, 1] * 200)
        )
    ]))  # fmt: skip
    return store


def joined_of(store: Store, day: date) -> int:
    """Some campaigns of a made-up day are repeats of others."""
    campaigns, outcomes = (
        table_of(store, f"{folder}/day={day}/{name}.parquet").column(ID).to_pylist()
        for folder, name in (("incoming", "campaigns"), ("outcomes", "outcomes"))
    )
    return len({*campaigns} & {*outcomes})


OUTCOMES = f"outcomes/day={BROKEN}/outcomes.parquet"
INCOMING = f"incoming/day={BROKEN}/campaigns.parquet"


def halves(store: Store) -> tuple[pa.Table, pa.Table]:
    """The broken day's outcomes in two files, of which the second is to be broken."""
    whole = table_of(store, OUTCOMES)
    put(store, OUTCOMES, whole.slice(0, ROWS // 2))
    return whole.slice(0, ROWS // 2), whole.slice(ROWS // 2)


def cut_short(store: Store) -> None:
    _, second = halves(store)
    sink = pa.BufferOutputStream()
    pq.write_table(second, sink)
    store.publish(f"outcomes/day={BROKEN}/second.parquet", sink.getvalue().to_pybytes()[:-30])


def under_way(store: Store) -> None:
    halves(store)
    store.publish(f"outcomes/day={BROKEN}/second.parquet", b"")


def other_columns(store: Store) -> None:
    _, second = halves(store)
    put(store, f"outcomes/day={BROKEN}/second.parquet", second.rename_columns(["who", "what"]))


@pytest.mark.parametrize("break_it", [cut_short, under_way, other_columns])
def test_a_file_of_outcomes_that_cannot_be_read_costs_its_own_rows(days, tmp_path, break_it: Callable):
    break_it(days)
    batch_scoring()
    monitored = {day.day: day for day in monitoring(reports=False).days}
    assert monitored[str(OTHER)].incomplete == 0
    assert monitored[str(BROKEN)].verdict.endswith("(incomplete: 1 unreadable)")
    assert metric("incomplete") == (1, "incomplete")
    assert metric("outcomes")[0] == pytest.approx(ROWS / 2, abs=20)
    assert metric("outcomes", OTHER)[0] > ROWS - 20
    joined, _, remarks = learnt(days, tmp_path)
    assert joined == {str(day): joined_of(days, day) for day in (BROKEN, OTHER)}
    assert [remark for remark in remarks if "is learnt from without" in remark]
    assert monitoring(reports=False).days == []


@pytest.mark.parametrize("break_it", [under_way, other_columns])
def test_the_remedy_followed_works_and_the_labels_call_again(days, tmp_path, break_it: Callable):
    second = table_of(days, OUTCOMES).slice(ROWS // 2)
    break_it(days)
    batch_scoring()
    monitoring(reports=False)
    before, _, _ = learnt(days, tmp_path)
    put(days, f"outcomes/day={BROKEN}/second.parquet", second)
    [day] = monitoring(reports=False).days
    assert (day.day, day.incomplete) == (str(BROKEN), 0)
    assert learnt(days, tmp_path)[0][str(BROKEN)] > ROWS - 20 > before[str(BROKEN)]


def test_files_without_rows_and_outcomes_that_wait_are_no_errors(days, tmp_path):
    first, second = halves(days)
    put(days, f"outcomes/day={BROKEN}/none-yet.parquet", first.slice(0, 0))
    put(days, f"outcomes/day={BROKEN}/waiting.parquet", second.set_column(1, LABEL, pa.nulls(len(second), pa.int8())))
    put(days, f"incoming/day={BROKEN}/none.parquet", table_of(days, INCOMING).slice(0, 0))
    scored = {day.day: day for day in batch_scoring()}
    assert scored[str(BROKEN)].rows.read == ROWS
    assert [part.rows for part in read_manifest(days, BROKEN).inputs] == [ROWS, 0]
    assert {day.verdict for day in monitoring(reports=False).days} <= {
        "ok",
        "drifted",
        "drifted, quality holds",
        "decayed",
    }
    assert metric("incomplete") == (0, "ok")
    assert metric("outcomes_share")[0] > 0.98
    assert learnt(days, tmp_path)[2] == []


def damaged_within(store: Store) -> bytes:
    """Its ids can be read, and its goals cannot."""
    sink = pa.BufferOutputStream()
    pq.write_table(table_of(store, INCOMING), sink, compression="zstd")
    whole = bytearray(sink.getvalue().to_pybytes())
    goals = pq.ParquetFile(pa.BufferReader(bytes(whole))).metadata.row_group(0).column(1)
    start = goals.dictionary_page_offset or goals.data_page_offset
    whole[start + 40 : start + goals.total_compressed_size] = bytes(goals.total_compressed_size - 40)
    return bytes(whole)


@pytest.mark.parametrize("content", [lambda store: b"PAR1 and then nothing", lambda store: b"", damaged_within])
def test_campaigns_that_cannot_be_read_cost_their_own_rows(days, tmp_path, content: Callable):
    name = f"day={BROKEN}/a-second.parquet"
    days.publish(f"incoming/{name}", content(days))
    scored = {day.day: day for day in batch_scoring()}
    assert (scored[str(BROKEN)].rows.read, scored[str(BROKEN)].unread) == (ROWS, 1)
    [fault] = read_manifest(days, BROKEN).faults
    assert name in fault.fault
    assert scored[str(OTHER)].unread == 0
    monitored = {day.day: day for day in monitoring(reports=False).days}
    assert monitored[str(BROKEN)].verdict.endswith("(incomplete: 1 unreadable)")
    assert f"incoming/{name}" in [one.path for one in read_status().ignored]
    joined, _, remarks = learnt(days, tmp_path)
    assert joined == {str(day): joined_of(days, day) for day in (BROKEN, OTHER)}
    assert [remark for remark in remarks if name in remark]
    assert batch_scoring() == []
    days.delete(f"incoming/{name}")
    assert [day.unread for day in batch_scoring()] == [0]


def test_a_day_of_which_nothing_can_be_read_keeps_no_other_from_being_scored(days):
    days.publish(INCOMING, b"PAR1 and then nothing")
    with pytest.raises(BadInput, match=f"day={BROKEN}/campaigns.parquet"):
        batch_scoring()
    assert read_manifest(days, OTHER).rows.read == ROWS
    assert [day.day for day in monitoring(reports=False).days] == [str(OTHER)]


def test_a_day_whose_predictions_are_damaged_keeps_neither_the_others_nor_the_call(days):
    batch_scoring()
    days.publish(days.path_of(read_manifest(days, BROKEN).parts[0].uri), b"damaged")
    with pytest.raises(BadInput, match="is not what the manifest of") as caught:
        monitoring(reports=False)
    assert caught.value.remedy == f"Score the day again: `campaign score --day {BROKEN}`."
    assert metric("day_state", OTHER)[1]
    assert metric("retraining", OTHER)[1]


def test_a_day_that_a_lost_version_scored_says_what_to_do(days, monkeypatch):
    batch_scoring()
    manifest = days.read(f"predictions/day={BROKEN}/manifest.json")
    days.publish(f"predictions/day={BROKEN}/manifest.json", manifest.replace(b'version": "1"', b'version": "99"'))
    with pytest.raises(NoChampion, match="was scored by a version that is lost") as caught:
        monitoring(reports=False)
    assert caught.value.remedy == f"Have today's champion score it: `campaign score --day {BROKEN}`."
    batch_scoring(day=BROKEN)
    assert [day.day for day in monitoring(reports=False).days] == [str(BROKEN)]


# Ids of outcomes that are written otherwise than the campaigns'


def rename(store: Store, ids: Callable[[str], str]) -> None:
    outcomes = table_of(store, OUTCOMES)
    put(store, OUTCOMES, outcomes.set_column(0, ID, pa.array([ids(name) for name in outcomes.column(0).to_pylist()])))


def test_outcomes_of_no_campaign_are_said_measured_and_not_taken_for_learnt(days, tmp_path, caplog):
    rename(days, str.lower)
    batch_scoring()
    caplog.set_level("WARNING", "prefect")
    monitoring(reports=False)
    assert "They differ in case" in caplog.text
    value, status = metric("unjoined")
    assert (value, status) == (ROWS, "unjoined")
    assert metric("unjoined", OTHER) == (ROWS - joined_of(days, OTHER), "ok")
    joined, unjoined, remarks = learnt(days, tmp_path)
    assert joined == {str(OTHER): joined_of(days, OTHER)}
    assert unjoined[str(BROKEN)] == ROWS
    assert [remark for remark in remarks if "They differ in case" in remark]


def test_once_mended_they_are_labels_that_nobody_has_learnt_from(days, tmp_path):
    rename(days, str.lower)
    batch_scoring()
    monitoring(reports=False)
    joined, unjoined, _ = learnt(days, tmp_path)
    model = type("Model", (), {"about": {"days": joined, "unjoined": unjoined}, "schema": home_schema()})

    def counted() -> int:
        with database().connect() as connection:
            return count_outcomes(days, model, find_unjoined(connection))[str(BROKEN)]

    assert counted() == 0
    rename(days, str.upper)
    monitoring(reports=False)
    assert counted() == joined_of(days, BROKEN)


def test_a_folder_called_otherwise_than_a_day_is_named(days, caplog):
    days.publish("incoming/day=22-11-2026/campaigns.csv", pd.DataFrame({"a": [1]}).to_csv().encode())
    caplog.set_level("WARNING", "prefect")
    batch_scoring()
    assert "incoming/day=22-11-2026 is looked at by no run: call it year first" in caplog.text
