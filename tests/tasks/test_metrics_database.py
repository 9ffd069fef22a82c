from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
import sqlalchemy as sa

from tasks import metrics_database
from tasks.metrics_database import METADATA, champions, database, in_utc, metrics, now

PROCESSES, TIMES = 8, 10


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request, tmp_path) -> str:
    """The URL of a database that holds nothing."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/metrics.db"
    url = sa.make_url(request.getfixturevalue("postgres"))
    name = f"empty_{tmp_path.name}"
    with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}"'))
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    return url.set(database=name).render_as_string(hide_password=False)


def test_many_processes_may_make_the_tables_at_once(empty):
    ready = Barrier(PROCESSES)

    def start(_: int) -> sa.Engine:
        ready.wait()
        return database(empty)

    with ThreadPoolExecutor(PROCESSES) as pool:
        for _ in range(TIMES):  # two of them meet only now and then
            METADATA.drop_all(database(empty))
            metrics_database._engine_with_tables.cache_clear()  # as in a process that begins
            engines = list(pool.map(start, range(PROCESSES)))
            assert {*sa.inspect(engines[0]).get_table_names()} == {*METADATA.tables}


def test_tables_that_are_there_keep_their_rows(empty):
    row = {"day": now().date(), "source": "batch", "model_version": "1", "metric": "rows_read", "value": 1.0}
    with database(empty).begin() as connection:
        connection.execute(sa.insert(metrics).values(**row, status="ok", computed_at=now()))
    with database(empty).connect() as connection:
        [row] = connection.execute(sa.select(metrics)).all()
    assert row.column_name == ""
    assert row.value == 1.0
    assert row.threshold is None


def test_a_moment_is_read_in_utc_whatever_the_zone_of_the_database(empty):
    """`campaign status` and `campaign champion history` say that it is."""
    if empty.startswith("postgresql"):
        name = sa.make_url(empty).database
        with sa.create_engine(empty, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(sa.text(f"ALTER DATABASE \"{name}\" SET timezone TO 'Pacific/Auckland'"))
    moment = now()
    with database(empty).begin() as connection:
        connection.execute(sa.insert(champions).values(changed_at=moment, version="1", reason="first"))
    with database(empty).connect() as connection:
        read = connection.execute(sa.select(champions.c.changed_at)).scalar_one()
    assert in_utc(read).isoformat() == moment.isoformat()


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("read", ["2026-11-22T12:00", "2026-11-22T12:00+00:00", "2026-11-23T01:00+13:00"])
def test_a_moment_without_a_zone_was_written_in_utc(read):
    assert in_utc(datetime.fromisoformat(read)).isoformat() == "2026-11-22T12:00:00+00:00"


def test_a_moment_has_its_zone():
    """Without it a reader elsewhere takes it for a local one."""
    assert now().tzinfo is UTC


def test_what_there_is_one_row_of():
    keys = {name: [column.name for column in table.primary_key] for name, table in METADATA.tables.items()}
    assert keys == {
        "metrics": ["day", "source", "model_version", "metric", "column_name"],
        "scored": ["day"],
        "champions": ["changed_at"],
        "monitored": ["day", "source"],
        "outcome_days": ["day"],
        "retraining_calls": ["champion", "labels"],
        "schedules": ["deployment"],
    }
