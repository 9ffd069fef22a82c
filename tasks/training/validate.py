"""Check the rows a model is to learn from, and gather them in one file under their digest."""

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import get_run_logger, task

from campaign.errors import BadInput, CampaignError
from campaign.identity import SeenIds
from campaign.masking import shown
from campaign.model import LEARNT
from campaign.reading import read_campaigns
from campaign.schema import Schema
from campaign.settings import Settings
from campaign.store import Store
from campaign.synthetic import says_it_is_made_up
from tasks.model_versions import list_versions, load_version
from tasks.retries import RETRIES
from tasks.training.bad_rows import common_reasons, refuse_if_most_are_bad
from tasks.training.gathered_day import add_day
from tasks.training.gathering import Gathering, canonical_schema
from tasks.training.identity_remarks import has_given_ids, identity_remarks
from tasks.training.ingest import Sources
from tasks.training.row_times import TIMES
from tasks.training.source_columns import SourceColumns, source_types


@dataclass(frozen=True)
class Dataset:
    """Checked campaigns with their label in one Parquet file, under the names of the schema.

    `sources` holds the same rows as other versions read them. `waiting` rows have no outcome yet. `days` counts the
    outcome rows of each labelled day that are of its campaigns, `unjoined` those that are not, `bad_in_days` the bad
    rows of all days; `outcomes_share` is of a day's campaigns those whose outcome has come. `made_up`: some of it is,
    and says so. `written` is how the data set is written, if it is a text. `remarks` say what of it is not what one
    would expect: ids, files that cannot be read.
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
    unjoined: dict[str, int] = field(default_factory=dict)
    quarantine: str = ""
    made_up: bool = False
    written: str = ""
    remarks: list[str] = field(default_factory=list)
    bad_in_days: int = 0
    outcomes_share: dict[str, float] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The origin without what is secret in an address."""
        return shown(self.origin)

    @property
    def learnt(self) -> Path:
        """The sorted digests of all ids."""
        return Path(self.path).with_name(LEARNT)

    @property
    def times(self) -> Path:
        """When each row was launched and decided; the file is there where the schema says how to tell."""
        return Path(self.path).with_name(TIMES)


def gather(
    sources: Sources, folder: Path, schema: Schema, others: Sequence[Schema] = ()
) -> tuple[Dataset, list[pa.Table]]:
    """Write the good rows of all sources to `folder`/{digest}/campaigns.parquet; give the bad ones, as they came.

    `others` are the schemas of versions that the new one will be compared with.
    """
    kept = source_types(schema, others)
    rejected: list[pa.Table] = []
    waiting, written, equal_rows, has_ids = 0, "", 0, True
    with TemporaryDirectory(dir=folder, prefix=".") as partial, ExitStack() as stack:
        gathered = pq.ParquetWriter(f"{partial}/campaigns.parquet", canonical_schema(schema), compression="zstd")
        writer = stack.enter_context(gathered)
        sources_file = SourceColumns(Path(partial, "sources.parquet"), kept, schema.text) if kept else nullcontext()
        source_columns = stack.enter_context(sources_file)
        gathering = Gathering(writer, schema, source_columns)
        most = sources.most_bytes
        for batch in read_campaigns(sources.base, schema, seen=SeenIds(), label=True, kept=kept, most_bytes=most):
            assert batch.label is not None
            written, has_ids = batch.written, has_given_ids(batch.raw, schema)
            equal_rows += len(batch.numbered)
            decided = ~np.isnan(batch.label)
            gathering.add(batch, batch.label, batch.good & decided, "")
            waiting += int((batch.good & ~decided).sum())
            rejected += [batch.rejected()] if batch.reasons else []
        days = [add_day(gathering, labelled, schema, kept) for labelled in sources.days]
        if gathering.rows == 0:
            why = common_reasons(rejected) or "none is decided"
            raise BadInput(
                f"{sources.shown}: every row is bad or has no outcome yet ({why}).",
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
    remarks = identity_remarks(sources.base, schema, has_ids, equal_rows)
    remarks += [remark for day in days for remark in day.remarks]
    data = Dataset(
        gathering.digest, str(path), sources.origin, schema, gathering.rows, bad, waiting, str(read_by_others),
        {day.day: day.joined for day in days if day.joined}, {day.day: day.unjoined for day in days if day.unjoined},
        made_up=any(map(says_it_is_made_up, [sources.base, *(uri for day in sources.days for uri in day.campaigns)])),
        bad_in_days=sum(day.bad for day in days), written=written, remarks=remarks,
        outcomes_share={day.day: day.outcomes_share for day in days},
    )  # fmt: skip
    return data, rejected


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
        logger.info("%s is read as %s", data.shown, data.written)
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
    refuse_if_most_are_bad(data.shown, rejected, read, settings.quarantine_limit, data.quarantine)
    if data.waiting:
        logger.info("%d rows wait: their %s is not decided yet", data.waiting, " and ".join(schema.outcome.sources))
    logger.info("%d good rows, with %d labelled days; digest %s", data.rows, len(data.days), data.digest)
    return data
