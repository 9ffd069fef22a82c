from datetime import date, datetime, timedelta, timezone

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from campaign.errors import BadInput
from campaign.store import Store
from tasks.day_files import readable_files, unread_files
from tasks.days import results_of, scheduled_day, select_days

DAYS = [date(2026, 10, 17), date(2026, 10, 18), date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23)]


@pytest.fixture
def store(own_home, monkeypatch) -> Store:
    # The clock of the machine stands elsewhere: a late run means the days that it was scheduled for.
    monkeypatch.setattr("tasks.days.scheduled_day", lambda: date(2026, 11, 22))
    store = Store((own_home / "store").as_uri())
    for day in DAYS:
        store.publish(f"incoming/day={day}/campaigns.parquet", b"")
    return store


@pytest.mark.parametrize(
    ("asked", "days", "named"),
    [
        ((None, None, None), DAYS[1:4], False),  # 35 days back; not the day to come
        ((DAYS[0], None, None), DAYS[:1], True),
        ((None, DAYS[1], DAYS[2]), DAYS[1:3], True),
        ((None, DAYS[3], None), DAYS[3:], True),
        ((None, None, DAYS[0]), DAYS[:1], True),
        ((None, date(2026, 11, 1), date(2026, 11, 2)), [], True),
    ],
)
def test_the_days_of_a_run(store, asked, days, named):
    assert select_days(store, "incoming", *asked) == (days, named)


def test_how_far_a_run_looks_back_is_a_setting(store, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_LOOKBACK_DAYS", "1")
    assert select_days(store, "incoming", None, None, None) == (DAYS[2:4], False)


def test_the_day_is_that_of_the_scheduled_start_in_utc(monkeypatch):
    start = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    monkeypatch.setattr("prefect.runtime.flow_run.FIELDS", {"scheduled_start_time": lambda: start})
    assert scheduled_day() == date(2026, 11, 23)


def test_a_day_that_holds_nothing_is_refused_with_the_days_that_do(store):
    with pytest.raises(BadInput, match=r"day=2026-11-01.*there are days from 2026-10-17 to 2026-11-23"):
        select_days(store, "incoming", date(2026, 11, 1), None, None)
    with pytest.raises(BadInput, match="there is no day yet"):
        select_days(store, "nowhere", DAYS[0], None, None)


def test_a_day_that_has_not_come_and_a_folder_under_another_name_are_said(store):
    for name in ("day=22-11-2026", "day=1.11.2026", "notes"):
        store.publish(f"incoming/{name}/campaigns.parquet", b"")
    with pytest.raises(BadInput) as caught:
        select_days(store, "incoming", date(2026, 12, 24), None, None)
    assert caught.value.cause.startswith("2026-12-24 is in the future: there is nothing in")
    assert "incoming/day=22-11-2026 is looked at by no run: call it year first." in caught.value.cause
    assert (
        "incoming/day=1.11.2026 is looked at by no run: call it year first, like day=2026-11-01." in caught.value.cause
    )
    assert "notes" not in caught.value.cause


def test_a_day_and_a_span_are_not_asked_for_together(store):
    with pytest.raises(BadInput, match="Say one or the other"):
        select_days(store, "incoming", DAYS[0], DAYS[0], None)


def test_a_span_that_ends_before_it_begins_is_refused(store):
    with pytest.raises(BadInput, match="2026-11-22 is after --to 2026-11-21"):
        select_days(store, "incoming", None, DAYS[3], DAYS[2])


def failed(cause: str) -> State:
    return Failed(data=BadInput(cause, "Mend it."))


def test_one_bad_day_is_told_after_all_have_had_their_turn():
    had_their_turn = []

    def states():
        for number, state in enumerate(
            [
                Completed(data="a"),
                Failed(data=BadInput("one", "Mend it.")),
                Completed(data="b"),
                Failed(data=BadInput("two", "Mend it.")),
            ]
        ):
            had_their_turn.append(number)
            yield state

    with pytest.raises(BadInput) as caught:
        results_of(states())
    assert (caught.value.cause, caught.value.remedy) == ("one\ntwo", "Mend it.")
    assert had_their_turn == [0, 1, 2, 3]


def test_results_come_in_the_order_of_the_days():
    assert results_of(Completed(data=name) for name in "ab") == ["a", "b"]


def test_what_a_day_holds_is_told_from_what_is_hidden_unfinished_or_of_another_kind(own_home):
    store = Store((own_home / "store").as_uri())
    read = ["A.PARQUET", "b.csv.gz", "c.TSV", "d.parq", "part/0.parquet", "z.zip"]
    others = [
        "._b.csv", ".b.csv", "_SUCCESS", "_delta_log/0.parquet", "_temporary/0.parquet", "a.parquet.crc",
        ".ipynb_checkpoints/b.csv", "b.csv.tmp", "c.csv.crdownload", "notes.docx", "readme.txt",
    ]  # fmt: skip
    for name in [*read, *others]:
        (own_home / "store/incoming/day=2026-11-22" / name).parent.mkdir(parents=True, exist_ok=True)
        (own_home / "store/incoming/day=2026-11-22" / name).write_bytes(b"")
    found = readable_files(store, "incoming", "2026-11-22")
    assert [entry.path.removeprefix("incoming/day=2026-11-22/") for entry in found] == read
    assert sorted(unread_files(store, "incoming", "2026-11-22")) == sorted(others)
