"""Check the rows a model is to learn from, and gather them in one file under their digest."""

import hashlib
from collections.abc import Collection, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from prefect import get_run_logger, task

from campaign.batch import Batch
from campaign.errors import BadInput, CampaignError
from campaign.identity import SeenIds, digests_of
from campaign.model import LEARNT
from campaign.reading import read_campaigns
from campaign.schema import ID, LABEL, LABELLED_DAY, Schema
from campaign.settings import Settings
from campaign.store import Store
from campaign.synthetic import says_it_is_made_up
from tasks.labelled_days import LabelledDay, count_outcome_rows
from tasks.model_versions import list_versions, load_version
from tasks.outcomes import NO_OUTCOME, Outcomes
from tasks.retries import RETRIES
from tasks.training.bad_rows import common_reasons, refuse_if_most_are_bad
from tasks.training.identity_remarks import has_given_ids, identity_remarks
from tasks.training.ingest import Sources
from tasks.training.row_times import TIMES, in_order, times_of
from tasks.training.source_columns import SourceColumns, source_types


@dataclass(frozen=True)
class Dataset:
    """Checked campaigns with their label in one Parquet file, under the names of the schema.

    `sources` holds the same rows as other versions read them. `waiting` rows have no outcome yet. `days` counts the
    outcome rows of each labelled day, `bad_in_days` their bad rows. `made_up`: some of it is, and says so. `written` is
    how the data set is written, if it is a text. `remarks` say what its rows have for ids, if that is not what one
    would expect.
    """

    digest: str
    path: str
    origin: str
    schema: Schema
    rows: int
    bad: int
    waiting: int = 0
    sources: str = ""
    days: dict[str, int] = field(default_factory=dict)
    quarantine: str = ""
    made_up: bool = False
    written: str = ""
    remarks: list[str] = field(default_factory=list)
    bad_in_days: int = 0

    @property
    def learnt(self) -> Path:
        """The sorted digests of all ids."""
        return Path(self.path).with_name(LEARNT)

    @property
    def times(self) -> Path:
        """When each row was launched and decided; the file is there where the schema says how to tell."""
        return Path(self.path).with_name(TIMES)


def canonical_schema(schema: Schema) -> pa.Schema:
    """Columns of the gathered file; `day` is empty for the base data set."""
    types = [(column.name, column.arrow_type) for column in schema.features]
    return pa.schema([(ID, pa.string()), *types, (LABEL, pa.int8()), (LABELLED_DAY, pa.string())])


class Gathering:
    """Rows on their way into one file, and a digest of their values, which no batch size or compression changes."""

    def __init__(self, writer: pq.ParquetWriter, schema: Schema, sources: SourceColumns | None) -> None:
        self.rows = 0
        self._row, self._schema = schema.row, canonical_schema(schema)
        self._writer, self._sources = writer, sources
        self._times: list[NDArray[np.float64]] = []
        self._ids: list[NDArray[np.uint64]] = []
        # Lengths of texts apart from the texts, or the digest would change with where batches end.
        self._digests = {name: (hashlib.sha256(), hashlib.sha256()) for name in self._schema.names}

    def add(self, batch: Batch, label: NDArray[np.generic], keep: NDArray[np.bool_], day: str) -> None:
        columns: dict[str, pa.Array] = {ID: batch.ids}
        columns |= {name: pa.array(values, from_pandas=True) for name, values in batch.numbers.items()}
        columns |= {name: values.cast(pa.string()) for name, values in batch.categories.items()}
        columns[LABEL] = pa.array(np.nan_to_num(label).astype(np.int8))
        columns[LABELLED_DAY] = pa.repeat(pa.scalar(day), len(batch))
        whole = pa.record_batch([columns[name] for name in self._schema.names], schema=self._schema)
        kept = whole.filter(pa.array(keep))
        self._writer.write_batch(kept)
        if self._row.tells_time:
            self._times.append(times_of(batch, keep, day) if self._row.launch else in_order(self.rows, len(kept)))
        if self._sources:
            self._sources.add(batch, pa.array(keep))
        self.rows += len(kept)
        self._ids.append(digests_of(kept.column(ID)))
        for name, (digest, of_lengths) in self._digests.items():
            values = kept.column(name)
            if pa.types.is_string(values.type):
                of_lengths.update(pc.fill_null(pc.binary_length(values), -1).to_numpy())
                digest.update("".join(filter(None, values.to_pylist())).encode())
            else:
                digest.update(values.to_numpy(zero_copy_only=False))

    @property
    def digest(self) -> str:
        parts = [digest.hexdigest() for pair in self._digests.values() for digest in pair]
        if self._times:  # with other times the same rows teach something else
            parts.append(hashlib.sha256(self.times.tobytes()).hexdigest())
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]

    @property
    def learnt(self) -> NDArray[np.uint64]:
        return np.unique(np.concatenate(self._ids))

    @property
    def times(self) -> NDArray[np.float64]:
        """[rows, 2], for a schema that tells them."""
        return np.concatenate(self._times)


def gather(
    sources: Sources, folder: Path, schema: Schema, others: Sequence[Schema] = ()
) -> tuple[Dataset, list[pa.Table]]:
    """Write the good rows of all sources to `folder`/{digest}/campaigns.parquet; give the bad ones, as they came.

    `others` are the schemas of versions that the new one will be compared with.
    """
    kept = source_types(schema, others)
    days: dict[str, int] = {}
    rejected: list[pa.Table] = []
    waiting, bad_in_days, written, equal_rows, has_ids = 0, 0, "", 0, True
    with TemporaryDirectory(dir=folder, prefix=".") as partial, ExitStack() as stack:
        gathered = pq.ParquetWriter(f"{partial}/campaigns.parquet", canonical_schema(schema), compression="zstd")
        writer = stack.enter_context(gathered)
        sources_file = SourceColumns(Path(partial, "sources.parquet"), kept, schema.text) if kept else nullcontext()
        source_columns = stack.enter_context(sources_file)
        gathering = Gathering(writer, schema, source_columns)
        for batch in read_campaigns(sources.base, schema, seen=SeenIds(), label=True, kept=kept):
            assert batch.label is not None
            written, has_ids = batch.written, has_given_ids(batch.raw, schema)
            equal_rows += len(batch.numbered)
            decided = ~np.isnan(batch.label)
            gathering.add(batch, batch.label, batch.good & decided, "")
            waiting += int((batch.good & ~decided).sum())
            rejected += [batch.rejected()] if batch.reasons else []
        for labelled in sources.days:
            # Counted before they are read: what comes meanwhile is still new.
            days[labelled.day] = count_outcome_rows(labelled, schema)
            bad_in_days += _add_day(gathering, labelled, schema, kept)
        if gathering.rows == 0:
            why = common_reasons(rejected) or "none is decided"
            raise BadInput(
                f"{sources.origin}: every row is bad or has no outcome yet ({why}).",
                "Mend the file; nothing can be learnt from it.",
            )
        stack.close()
        np.save(f"{partial}/{LEARNT}", gathering.learnt)
        if schema.row.tells_time:
            np.save(f"{partial}/{TIMES}", gathering.times)
        target = folder / gathering.digest
        target.mkdir(exist_ok=True)
        for file in Path(partial).iterdir():
            file.replace(target / file.name)
    path = target / "campaigns.parquet"
    read_by_others = path.with_name("sources.parquet") if kept else path
    bad = sum(map(len, rejected))
    data = Dataset(
        gathering.digest, str(path), sources.origin, schema, gathering.rows, bad, waiting, str(read_by_others), days,
        made_up=any(map(says_it_is_made_up, [sources.base, *(uri for day in sources.days for uri in day.campaigns)])),
        bad_in_days=bad_in_days, written=written,
        remarks=identity_remarks(sources.base, schema, has_ids, equal_rows),
    )  # fmt: skip
    return data, rejected


def _add_day(gathering: Gathering, day: LabelledDay, schema: Schema, kept: Collection[str]) -> int:
    """Rows without an outcome wait for theirs. Gives how many are bad: scoring quarantined them."""
    seen, outcomes, bad = SeenIds(), Outcomes.read(day.outcomes, schema), 0
    for uri in day.campaigns:
        for batch in read_campaigns(uri, schema, seen=seen, kept=kept):
            label = outcomes.of(batch.ids)
            gathering.add(batch, label, batch.good & (label != NO_OUTCOME), day.day)
            bad += int((~batch.good).sum())
    return bad


def promoted_schemas(model: str) -> list[Schema]:
    """The schemas of the versions that a new one is compared with. One that cannot be loaded is left to the gate."""
    schemas = {}
    for version in list_versions(model):
        if version.promoted_at:
            with suppress(CampaignError):
                loaded = load_version(version).schema
                schemas[loaded.digest] = loaded
    return list(schemas.values())


@task(timeout_seconds=3600, **RETRIES)
def validate(sources: Sources, schema: Schema) -> Dataset:
    """Gather the good rows, and put the bad ones into quarantine with their reasons."""
    settings, logger = Settings(), get_run_logger()
    folder = settings.cache / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    data, rejected = gather(sources, folder, schema, promoted_schemas(schema.name))
    if data.written:
        logger.info("%s is read as %s", data.origin, data.written)
    for remark in data.remarks:
        logger.warning("%s", remark)
    if rejected:
        store = Store(settings.store)
        where = f"quarantine/dataset={data.digest}/part.parquet"
        with store.writing(where) as sink:
            pq.write_table(pa.concat_tables(rejected, promote_options="permissive"), sink)
        data = replace(data, quarantine=store.at(where))
        rows = "1 bad row is" if data.bad == 1 else f"{data.bad} bad rows are"
        logger.warning("%s in %s: %s", rows, data.quarantine, common_reasons(rejected))
    read = data.rows + data.bad + data.waiting
    refuse_if_most_are_bad(data.origin, rejected, read, settings.quarantine_limit, data.quarantine)
    if data.waiting:
        logger.info("%d rows wait: their %s is not decided yet", data.waiting, " and ".join(schema.outcome.sources))
    logger.info("%d good rows, with %d labelled days; digest %s", data.rows, len(data.days), data.digest)
    return data
