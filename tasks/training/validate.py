"""Check the rows a model is to learn from, and gather them in one file under their digest."""

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from prefect import get_run_logger, task

from campaign.errors import BadInput
from campaign.identity import SeenIds
from campaign.reading import Batch, read_campaigns
from campaign.schema import FEATURES, ID, LABEL, Column, features_of
from campaign.settings import Settings
from campaign.store import Store
from tasks.labelled_days import LabelledDay, count_outcome_rows
from tasks.outcomes import NO_OUTCOME, Outcomes
from tasks.retries import RETRIES
from tasks.training.ingest import Sources

DAY = "day"


@dataclass(frozen=True)
class Dataset:
    """Checked campaigns with their label in one Parquet file. `days` counts the outcome rows of each labelled day."""

    digest: str
    path: str
    origin: str
    rows: int
    bad: int
    days: dict[str, int] = field(default_factory=dict)
    quarantine: str = ""


def canonical_schema(features: tuple[Column, ...]) -> pa.Schema:
    """Columns of the gathered file; `day` is empty for the base data set."""
    types = [(column.name, column.arrow_type) for column in features]
    return pa.schema([(ID, pa.string()), *types, (LABEL, pa.int8()), (DAY, pa.string())])


class Gathering:
    """Rows on their way into one file, and a digest of their values, which no batch size or compression changes."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self.rows = 0
        self._writer = writer
        self._schema = schema
        # Lengths of texts apart from the texts, or the digest would change with where batches end.
        self._digests = {name: (hashlib.sha256(), hashlib.sha256()) for name in schema.names}

    def add(self, batch: Batch, label: NDArray[np.generic], keep: NDArray[np.bool_], day: str) -> None:
        columns: dict[str, pa.Array] = {ID: batch.ids}
        columns |= {name: pa.array(values) for name, values in batch.numbers.items()}
        columns |= {name: values.cast(pa.string()) for name, values in batch.categories.items()}
        columns[LABEL] = pa.array(np.nan_to_num(label).astype(np.int8))
        columns[DAY] = pa.repeat(pa.scalar(day), len(batch))
        whole = pa.record_batch([columns[name] for name in self._schema.names], schema=self._schema)
        kept = whole.filter(pa.array(keep))
        self._writer.write_batch(kept)
        self.rows += len(kept)
        for name, (digest, of_lengths) in self._digests.items():
            values = kept.column(name)
            if pa.types.is_string(values.type):
                of_lengths.update(pc.binary_length(values).to_numpy())
                digest.update("".join(values.to_pylist()).encode())
            else:
                digest.update(values.to_numpy())

    @property
    def digest(self) -> str:
        parts = [digest.hexdigest() for pair in self._digests.values() for digest in pair]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


def gather(sources: Sources, folder: Path, features: tuple[Column, ...] = FEATURES) -> tuple[Dataset, list[pa.Table]]:
    """Write the good rows of all sources to `folder`/{digest}/campaigns.parquet; give the bad ones, as they came."""
    schema = canonical_schema(features)
    store = Store(folder.absolute().as_uri())
    partial = f"{uuid.uuid4().hex}.parquet"
    rejected: list[pa.Table] = []
    days = {}
    with store.writing(partial) as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        gathering = Gathering(writer, schema)
        for batch in read_campaigns(sources.base, features, SeenIds(), label=True):
            assert batch.label is not None
            gathering.add(batch, batch.label, batch.good, "")
            rejected += [batch.rejected()] if batch.reasons else []
        for labelled in sources.days:
            days[labelled.day] = count_outcome_rows(labelled)  # before they are read: what comes meanwhile is still new
            _add_day(gathering, labelled, Outcomes.read(labelled.outcomes), features)
        if gathering.rows == 0:
            raise BadInput(
                f"{sources.origin}: every row is bad ({_why(rejected)}).",
                "Mend the file; nothing can be learnt from it.",
            )
    target = folder / gathering.digest / "campaigns.parquet"
    target.parent.mkdir(exist_ok=True)
    (folder / partial).replace(target)
    bad = sum(map(len, rejected))
    return Dataset(gathering.digest, str(target), sources.origin, gathering.rows, bad, days), rejected


def _add_day(gathering: Gathering, day: LabelledDay, outcomes: Outcomes, features: tuple[Column, ...]) -> None:
    """Rows without an outcome wait for theirs; bad ones were quarantined when the day was scored."""
    seen = SeenIds()
    for uri in day.campaigns:
        for batch in read_campaigns(uri, features, seen):
            label = outcomes.of(batch.ids)
            gathering.add(batch, label, batch.good & (label != NO_OUTCOME), day.day)


def _why(rejected: list[pa.Table]) -> str:
    return ", ".join(sorted({reason for table in rejected for reason in table.column("reasons").to_pylist()})[:3])


@task(timeout_seconds=3600, **RETRIES)
def validate(sources: Sources, feature_set: str = "published") -> Dataset:
    """Gather the good rows, and put the bad ones into quarantine with their reasons."""
    settings, logger = Settings(), get_run_logger()
    data, rejected = gather(sources, settings.cache / "datasets", features_of(feature_set))
    if rejected:
        store = Store(settings.store)
        where = f"quarantine/dataset={data.digest}/part.parquet"
        with store.writing(where) as sink:
            pq.write_table(pa.concat_tables(rejected, promote_options="permissive"), sink)
        data = Dataset(**(vars(data) | {"quarantine": store.at(where)}))
        logger.warning("%d bad rows are in %s: %s", data.bad, data.quarantine, _why(rejected))
    logger.info("%d good rows, with %d labelled days; digest %s", data.rows, len(data.days), data.digest)
    return data
