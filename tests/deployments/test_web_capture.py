import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from web_world import FILM, Web, client_of, process

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.store import Store
from campaign.warm_up import smallest_forest, smallest_model
from deployments.web_service import capture
from deployments.web_service.capture import Capture, as_table, capture_schema
from deployments.web_service.capture_quota import Quota
from deployments.web_service.live_model import LiveModel
from deployments.web_service.merging import Merging, merge_day, merge_past_days
from tests.published import KNOWN_CATEGORIES, NAMES, SCHEMA, WIDER

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
VALUES = {name: FILM[name.lower()] for name in NAMES}
LIVE = LiveModel(replace(smallest_model(), version="7"), 0)


def files(store: Store, hidden: bool = False) -> list[str]:
    return [entry.path for entry in store.entries("captured", hidden=hidden)]


def rows(store: Store) -> pa.Table:
    return pa.concat_tables(pq.read_table(pa.BufferReader(store.read(path))) for path in files(store))


# What is written


def test_a_captured_row_says_what_was_asked_and_answered_when_and_by_which_model(web: Web) -> None:
    before = datetime.now(UTC)
    answer = web.ask.post("/predict", json=FILM | {"campaignid": "mine", "category": "fILM", "country": "Peru"}).json()
    captured = web.captured()
    assert captured.schema.equals(capture_schema(SCHEMA))
    (row,) = captured.to_pylist()
    assert row["CampaignID"] == "mine"
    assert {name: row[name] for name in NAMES} == VALUES | {"Country": "Peru"}  # known names as the schema spells them
    for name in ("prediction_id", "probability", "success", "model_version"):
        assert row[name] == answer[name]
    assert before <= row["answered_at"] <= datetime.now(UTC)
    assert web.service.store.entries("captured")[0].path.startswith(f"captured/day={row['answered_at']:%Y-%m-%d}/")


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_batch_is_captured_without_its_bad_rows(web: Web, kind: str) -> None:
    table = pa.Table.from_batches(synthetic.campaigns(5)).to_pylist()
    table[2]["GoalAmount"] = -1
    out = io.BytesIO()
    pacsv.write_csv(pa.Table.from_pylist(table), out)
    sent = {"content": out.getvalue(), "headers": {"content-type": "text/csv"}} if kind == "csv" else {"json": table}
    answer = web.ask.post("/predict/batch", **sent).json()
    captured = web.captured()
    assert captured.schema.equals(capture_schema(SCHEMA))
    answered = [row for row in answer["predictions"] if "error" not in row]
    for name in ("prediction_id", "probability"):
        assert captured[name].to_pylist() == [row[name] for row in answered]
    assert captured["CampaignID"].to_pylist() == [row["CampaignID"] for row in table if row["GoalAmount"] > 0]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_an_answer_that_could_not_be_written_is_neither_counted_nor_captured(web: Web, monkeypatch, path: str) -> None:
    """Its client tries again, and would be there twice."""
    counted = web.count("campaign_predictions_total")

    def fail(*_: object, **__: object) -> str:
        raise RuntimeError("no text for it")

    with monkeypatch.context() as patch:
        patch.setattr(f"deployments.web_service.routes.{path[1:].replace('/', '_')}.json.dumps", fail)
        with suppress(httpx.HTTPError), client_of(str(web.ask.base_url)) as client:
            assert client.post(path, json=[FILM] if "batch" in path else FILM).status_code == 500
    assert web.count("campaign_predictions_total") == counted
    web.service.capture.flush()
    assert files(web.service.store) == []


def test_what_was_captured_can_be_read_like_a_day_of_campaigns(web: Web, tmp_path: Path) -> None:
    for body in (FILM, FILM | {"campaignid": "mine"}):
        web.ask.post("/predict", json=body)
    pq.write_table(web.captured(), tmp_path / "a.parquet")
    (batch,) = read_campaigns(str(tmp_path / "a.parquet"), SCHEMA)
    assert batch.reasons == {}
    assert batch.ids[0].as_py().startswith("row-")
    assert batch.ids[1].as_py() == "mine"


def test_in_s3_too(web: Web, s3: str) -> None:
    store = Store("s3://campaign/captured-here")
    kept = Capture(store, Quota(store, 1 << 30))
    kept.add("a", VALUES, 0.25, LIVE)
    kept.flush()
    assert rows(store)["prediction_id"].to_pylist() == ["a"]


# When a day has as many as it may


def test_a_day_that_is_full_is_written_no_more_and_the_rest_is_counted(serve, champion: Path) -> None:
    web: Web = serve(CAMPAIGN_BUNDLE=str(champion), CAMPAIGN_CAPTURE_QUOTA="1")
    web.service.rotation.refresh()
    over = web.count("campaign_capture_over_quota_total")
    for _ in range(3):
        assert web.ask.post("/predict", json=FILM).status_code == 200
        web.service.capture.flush()
    assert len(rows(web.service.store)) == 1
    assert web.count("campaign_capture_over_quota_total") == over + 2


def test_what_other_processes_wrote_counts_too_and_the_next_day_begins_anew(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    store.publish("captured/day=2026-11-22/part-of-another.parquet", b"x" * 100)
    quota = Quota(store, 100)
    assert not quota.has_room("captured/day=2026-11-22")
    assert quota.has_room("captured/day=2026-11-23")
    quota.add(100)
    assert not quota.has_room("captured/day=2026-11-23")


# When the store is away


@pytest.fixture
def kept(tmp_path: Path) -> Capture:
    """A capture whose store can be put out of order, by a file where its folder should be."""
    store = Store(str(tmp_path / "store"))
    return Capture(store, Quota(store, 1 << 30))


@contextmanager
def out_of_order(kept: Capture) -> Iterator[None]:
    place = Path(kept.store.uri)
    place.write_text("")
    try:
        yield
    finally:
        place.unlink()


def test_what_could_not_be_written_is_written_when_the_store_is_back(kept: Capture) -> None:
    with out_of_order(kept):
        for name in "ab":
            kept.add(name, VALUES, 0.25, LIVE)
            with pytest.raises(Exception, match="Cannot write"):
                kept.flush()
    kept.add("c", VALUES, 0.25, LIVE)
    kept.flush()
    assert sorted(rows(kept.store)["prediction_id"].to_pylist()) == ["a", "b", "c"]


def test_a_store_that_stays_away_costs_a_bounded_memory_and_the_rest_is_counted(
    kept: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "MAX_QUEUED", 30)
    monkeypatch.setattr(capture, "MAX_WAITING", 50)
    dropped = capture.prometheus.dropped._value.get
    before = dropped()
    with out_of_order(kept):
        for _ in range(4):
            for number in range(40):
                kept.add(str(number), VALUES, 0.25, LIVE)
            with pytest.raises(Exception, match="Cannot write"):
                kept.flush()
    kept.flush()
    assert len(rows(kept.store)) == 30
    assert dropped() - before == 4 * 10 + 3 * 30


@pytest.mark.parametrize("limit", ["MAX_QUEUED_BYTES", "MAX_TABLES_BYTES", "MAX_WAITING_BYTES"])
def test_what_waits_is_bounded_by_its_length_too(kept: Capture, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(capture, limit, 10_000)
    before = capture.prometheus.dropped._value.get()
    with out_of_order(kept):
        for number in range(200):
            if limit == "MAX_TABLES_BYTES":
                kept.add_table(as_table([(str(number), VALUES, 0.25, LIVE, YESTERDAY.timestamp())]))
            else:
                kept.add(str(number), VALUES, 0.25, LIVE, 1_000)
            if limit == "MAX_WAITING_BYTES":
                with pytest.raises(Exception, match="Cannot write"):
                    kept.flush()
    kept.flush()
    written = len(rows(kept.store))
    assert 10 <= written < 150
    assert capture.prometheus.dropped._value.get() - before == 200 - written
    kept.add("more", VALUES, 0.25, LIVE, 1_000)
    kept.flush()
    assert len(rows(kept.store)) == written + 1


def test_answers_come_while_the_store_is_away(serve: Callable[..., Web], champion: Path, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    web = serve(CAMPAIGN_BUNDLE=str(champion), CAMPAIGN_STORE=str(tmp_path / "store"))
    web.service.rotation.refresh()
    assert web.ask.post("/predict", json=FILM).status_code == 200
    assert web.ask.get("/reports/2026-11-22").status_code == 503


def test_answers_on_both_sides_of_midnight_lie_in_two_days(kept: Capture) -> None:
    midnight = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    kept.add_table(as_table([("a", VALUES, 0.25, LIVE, midnight - 0.001), ("b", VALUES, 0.75, LIVE, midnight)]))
    kept.flush()
    assert [path.split("/")[1] for path in files(kept.store)] == ["day=2026-11-22", "day=2026-11-23"]


# A past day in one file


def answered(kept: Capture, *ids: str, at: datetime = YESTERDAY) -> None:
    kept.add_table(as_table([(prediction_id, VALUES, 0.25, LIVE, at.timestamp()) for prediction_id in ids]))
    kept.flush()


def test_the_files_of_a_past_day_become_one_and_todays_are_left(kept: Capture) -> None:
    for name in ("a", "b", "c"):
        answered(kept, name)
    answered(kept, "d", at=datetime.now(UTC))
    answered(kept, "e", at=datetime.now(UTC))
    merge_past_days(kept.store, datetime.now(UTC) + timedelta(hours=2))
    days = [path.split("/")[1] for path in files(kept.store)]
    assert days.count(f"day={YESTERDAY:%Y-%m-%d}") == 1
    assert sorted(rows(kept.store)["prediction_id"].to_pylist()) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("now", "merged"),
    [
        ("2026-11-22T23:59:59", ["20", "21"]),
        ("2026-11-23T00:59:59", ["20", "21"]),
        ("2026-11-23T01:00", ["20", "21", "22"]),
    ],
)
def test_a_day_is_merged_an_hour_after_its_end_and_never_while_it_is_written(kept, monkeypatch, now, merged):
    days, taken = ["20", "21", "22", "23"], []
    for day in days:
        kept.store.publish(f"captured/day=2026-11-{day}/part.parquet", b"")
    monkeypatch.setattr("deployments.web_service.merging.merge_day", lambda store, day: taken.append(f"{day:%d}"))
    merge_past_days(kept.store, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert taken == merged


@pytest.mark.usefixtures("far_from_utc")
def test_the_service_merges_by_the_days_of_utc(kept, monkeypatch):
    today = (datetime.now(UTC) - timedelta(hours=1)).date()
    days, taken, ended = [today - timedelta(days=age) for age in (2, 1, 0)], [], iter([False, True])
    for day in days:
        kept.store.publish(f"captured/day={day}/part.parquet", b"")
    merging = Merging(kept.store)
    monkeypatch.setattr(merging._ended, "wait", lambda seconds: next(ended))
    monkeypatch.setattr("deployments.web_service.merging.merge_day", lambda store, day: taken.append(day))
    merging._run()
    assert taken == days[:2]


def test_answers_of_models_with_other_columns_are_merged_apart(kept: Capture) -> None:
    wider = LiveModel(ScoringModel("m", "8", WIDER, Encoder(WIDER.features, KNOWN_CATEGORIES), smallest_forest()), 0)
    for number, live in enumerate([LIVE, wider, LIVE, wider]):
        kept.add_table(as_table([(str(number), VALUES | {"Mood": 3.0}, 0.5, live, YESTERDAY.timestamp())]))
        kept.flush()
    merge_day(kept.store, YESTERDAY.date())
    merged = [pq.read_table(pa.BufferReader(kept.store.read(path))) for path in files(kept.store)]
    assert sorted((sorted(table["prediction_id"].to_pylist()), "Mood" in table.column_names) for table in merged) == [
        (["0", "2"], False),
        (["1", "3"], True),
    ]


def test_answers_that_come_late_are_merged_too(kept: Capture) -> None:
    for names in (("a", "b"), ("c",), ("d", "e")):
        answered(kept, *names)
        merge_day(kept.store, YESTERDAY.date())
    assert len(files(kept.store)) == 1
    assert sorted(rows(kept.store)["prediction_id"].to_pylist()) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("removed", [0, 1, 2], ids=["before any part went", "after one", "after two"])
def test_a_merge_that_was_killed_is_finished_by_the_next(kept: Capture, removed: int) -> None:
    for name in ("a", "b", "c"):
        answered(kept, name)
    deleted: list[str] = []

    class Killed(BaseException):
        pass

    class Interrupted(Store):
        def delete(self, path: str) -> None:
            if len(deleted) == removed:
                raise Killed
            deleted.append(path)
            super().delete(path)

    with pytest.raises(Killed):
        merge_day(Interrupted(kept.store.uri), YESTERDAY.date())
    # A reader in between sees all, some of it twice.
    assert set(rows(kept.store)["prediction_id"].to_pylist()) == {"a", "b", "c"}
    merge_day(kept.store, YESTERDAY.date())
    assert len(files(kept.store)) == 1
    assert sorted(rows(kept.store)["prediction_id"].to_pylist()) == ["a", "b", "c"]


def test_what_a_kill_left_half_written_is_swept_from_past_days(kept: Capture) -> None:
    answered(kept, "a")
    half = Path(kept.store.uri) / f"captured/day={YESTERDAY:%Y-%m-%d}" / ".part-1.parquet.abcd"
    half.write_text("PAR1")
    os.utime(half, (0, 0))
    merge_day(kept.store, YESTERDAY.date())
    assert not half.exists()
    assert len(files(kept.store)) == 1


def test_a_day_that_is_not_there_is_no_work(kept: Capture) -> None:
    merge_day(kept.store, date(2020, 1, 1))
    assert files(kept.store) == []


# The end of a process


def test_ending_the_service_writes_what_was_answered(champion: Path, own_home: Path) -> None:
    with process(champion, own_home) as (server, url), client_of(url) as client:
        asked = [client.post("/predict", json=FILM).json()["prediction_id"] for _ in range(20)]
        server.terminate()
        server.wait()
    assert rows(Store(str(own_home / "store")))["prediction_id"].to_pylist() == asked


def test_kill_9_tears_no_file_and_loses_only_what_came_after_the_last_flush(champion: Path, own_home: Path) -> None:
    store, asked = Store(str(own_home / "store")), []
    with process(champion, own_home) as (server, url), client_of(url) as client:
        while len(files(store)) < 2:
            asked.append(client.post("/predict", json=FILM).json()["prediction_id"])
        server.send_signal(signal.SIGKILL)
        server.wait()
    captured = rows(store)["prediction_id"].to_pylist()
    assert captured
    assert captured == asked[: len(captured)]


def test_several_workers_capture_count_and_answer_alike(champion: Path, own_home: Path) -> None:
    with process(champion, own_home, "--workers", "2") as (server, url):
        asked = [httpx.post(f"{url}/predict", json=FILM, verify=False).json()["prediction_id"] for _ in range(30)]
        metrics = httpx.get(f"{url}/metrics").text
        server.terminate()
        server.wait()
    assert 'campaign_requests_total{route="/predict",status="200"} 30.0' in metrics
    assert sorted(rows(Store(str(own_home / "store")))["prediction_id"].to_pylist()) == sorted(asked)


def test_two_workers_give_no_prediction_the_same_id(tmp_path):
    """Nor does one: a reader keeps one row of each."""
    workers = [Capture(Store(tmp_path.as_uri()), None) for _ in range(2)]
    ids = [worker.new_id() for _ in range(3) for worker in workers]
    assert len(set(ids)) == 6
