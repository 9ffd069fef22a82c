"""Write days of synthetic campaigns and their outcomes into the store, as the outside world would."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import get_run_logger, task

from campaign import synthetic
from campaign.errors import BadInput
from campaign.schema import ID, LABEL
from campaign.schema_file import published
from campaign.settings import Settings
from campaign.store import Published, Store, filesystem_of
from tasks.day_files import readable_files
from tasks.retries import RETRIES

FLAWS = 0.004


def generate_day(day: date, rows: int, drift: float, flaws: float = FLAWS) -> pa.Table:
    """A day's campaigns with their label, the same for the same arguments."""
    prefix = f"C{day:%Y%m%d}_"
    return pa.Table.from_batches(synthetic.campaigns(rows, day.toordinal(), prefix, drift, flaws))


def write_campaigns(store: Store, day: date, rows: int, drift: float, flaws: float = FLAWS) -> Published:
    """Write incoming/day=…, which does not know the outcome yet."""
    table = generate_day(day, rows, drift, flaws).select([ID, *(column.name for column in published().columns)])
    return _write(store, f"incoming/day={day}/campaigns.parquet", table)


def write_outcomes(store: Store, day: date, rows: int, drift: float) -> Published:
    """Write outcomes/day=… for the campaigns of `write_campaigns` with the same arguments."""
    table = generate_day(day, rows, drift, flaws=0).select([ID, LABEL])
    return _write(store, f"outcomes/day={day}/outcomes.parquet", table)


def lacks_outcomes(day: date) -> bool:
    """Whether a day's campaigns have come, and their outcomes have not."""
    store = Store(Settings().store)
    return bool(store.entries(f"incoming/day={day}")) and not store.entries(f"outcomes/day={day}")


def write_training_data(store: Store, rows: int, seed: int = 1) -> Published:
    """Write base/campaigns.parquet, the training data to begin with."""
    schema = next(synthetic.campaigns(min(rows, 1), seed)).schema.with_metadata(synthetic.MADE_UP)
    path = "base/campaigns.parquet"
    with store.writing(path) as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in synthetic.campaigns(rows, seed):
            writer.write_batch(batch)
    return Published(store.at(path), sink.sha256)


def refuse_to_mix(store: Store, day: date) -> None:
    """Raises `BadInput` where campaigns or outcomes of somebody's own lie in a day."""
    for folder in ("incoming", "outcomes"):
        for entry in readable_files(store, folder, day):
            if not _is_made_up(store.at(entry.path), day):
                raise BadInput(
                    f"{entry.path} is not made up, and made-up campaigns are not mixed with others.",
                    "Name another --day, or another --home.",
                )


def _is_made_up(uri: str, day: date) -> bool:
    """By its mark, or as files were before they had one: by the ids of its first rows."""
    if synthetic.says_it_is_made_up(uri):
        return True
    filesystem, path = filesystem_of(uri)
    try:
        with filesystem.open_input_file(path) as file:
            ids = next(pq.ParquetFile(file).iter_batches(100, columns=[ID])).column(0).to_pylist()
    except (pa.ArrowException, OSError, StopIteration, IndexError):
        return False
    return bool(ids) and all(str(given).startswith((f"C{day:%Y%m%d}_", "CID_")) for given in ids)


def _write(store: Store, path: str, table: pa.Table) -> Published:
    marked = table.replace_schema_metadata({**(table.schema.metadata or {}), **synthetic.MADE_UP})
    with store.writing(path) as sink:
        pq.write_table(marked, sink, compression="zstd")
    return Published(store.at(path), sink.sha256)


@task(task_run_name="drop campaigns of {day}", timeout_seconds=3600, **RETRIES)
def publish_campaigns(day: date, rows: int, drift: float) -> str:
    """The URI of the day's campaigns."""
    store = Store(Settings().store)
    refuse_to_mix(store, day)
    published = write_campaigns(store, day, rows, drift)
    get_run_logger().info("%d campaigns of %s are in %s", rows, day, published.uri)
    return published.uri


@task(task_run_name="drop outcomes of {day}", timeout_seconds=3600, **RETRIES)
def publish_outcomes(day: date, rows: int, drift: float) -> str:
    """The URI of the day's outcomes."""
    store = Store(Settings().store)
    refuse_to_mix(store, day)
    published = write_outcomes(store, day, rows, drift)
    get_run_logger().info("The outcomes of %s are in %s", day, published.uri)
    return published.uri
