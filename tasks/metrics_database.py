"""The metrics database: what was scored, how each day fared, who was champion, when retraining was called for,
and how the schedules stand.

SQLite on one machine, Postgres in the stack. Values are Python floats: psycopg2 renders NumPy's as `np.float64(…)`.
"""

from datetime import UTC, datetime
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.schema import CreateTable

from campaign.settings import Settings
from campaign.sqlite import sqlite_file

METADATA = sa.MetaData()
MOMENT = sa.DateTime(timezone=True)

metrics = sa.Table(
    "metrics",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("model_version", sa.Text, primary_key=True),
    sa.Column("metric", sa.Text, primary_key=True),
    sa.Column("column_name", sa.Text, primary_key=True, server_default=""),
    sa.Column("value", sa.Float),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("method", sa.Text),
    sa.Column("threshold", sa.Float),
    sa.Column("computed_at", MOMENT, nullable=False),
)
scored = sa.Table(
    "scored",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("rows_read", sa.BigInteger, nullable=False),
    sa.Column("rows_scored", sa.BigInteger, nullable=False),
    sa.Column("rows_quarantined", sa.BigInteger, nullable=False),
    sa.Column("predicted_success", sa.BigInteger, nullable=False),
    sa.Column("scored_at", MOMENT, nullable=False),
)
champions = sa.Table(
    "champions",
    METADATA,
    sa.Column("changed_at", MOMENT, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("previous", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
)
monitored = sa.Table(
    "monitored",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("monitored_at", MOMENT, nullable=False),
)
# What has come of a day's outcomes, and the last day of the window in which they were judged; none: not judged yet.
outcome_days = sa.Table(
    "outcome_days",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("outcomes", sa.BigInteger, nullable=False),
    sa.Column("expected_successes", sa.Float, nullable=False),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("last_change", sa.Date, nullable=False),
    sa.Column("judged_until", sa.Date),
)
retraining_calls = sa.Table(
    "retraining_calls",
    METADATA,
    sa.Column("champion", sa.Text, primary_key=True),
    sa.Column("labels", sa.Text, primary_key=True),
    sa.Column("called_at", MOMENT, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
)
schedules = sa.Table(
    "schedules",
    METADATA,
    sa.Column("deployment", sa.Text, primary_key=True),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("next_run", MOMENT),
    sa.Column("stalled_since", MOMENT),
    sa.Column("last_state", sa.Text),
    sa.Column("last_ended", MOMENT),
    sa.Column("checked_at", MOMENT, nullable=False),
)


def database(url: str | None = None) -> sa.Engine:
    """The metrics database with its tables; existing ones stay as they are."""
    return _engine_with_tables(url or Settings().metrics_url)


@lru_cache(maxsize=4)
def _engine_with_tables(url: str) -> sa.Engine:
    if file := sqlite_file(url):
        file.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": 30})
    else:
        engine = sa.create_engine(url, pool_pre_ping=True)
    try:
        _make_tables(engine)
    except (IntegrityError, ProgrammingError):
        _make_tables(engine)  # Postgres refuses one of two that make the same table at once; by now it exists
    return engine


def _make_tables(engine: sa.Engine) -> None:
    # Not `create_all`, which lists the tables and then makes the missing ones: two processes that start on a new SQLite
    # file would collide.
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))


def now() -> datetime:
    return datetime.now(UTC)


def in_utc(moment: datetime) -> datetime:
    """A moment that was read: SQLite gives it without its zone, Postgres in that of the database."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
