"""What versions of another schema read of the campaigns that are gathered: their source columns, as they came."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from campaign.batch import Batch
from campaign.numbers import NumberReader
from campaign.schema import ID, Schema
from campaign.schema_parts import Text
from campaign.values import numbers_of


def source_types(schema: Schema, others: Sequence[Schema]) -> dict[str, pa.DataType]:
    """The sources that a new version and those that it is compared with read, and how they are kept.

    Empty where all of them read what the gathered file holds under the same name.
    """
    types: dict[str, pa.DataType] = {}
    for each in (schema, *others):
        for column in each.features:
            for name in each.sources_of([column]):
                kind = column.arrow_type if column.derive is None else pa.string()
                known = types.setdefault(name, kind)
                if known != kind:  # a number for one, a text for another
                    types[name] = pa.string()
    gathered = {column.name: column.arrow_type for column in schema.features if column.in_file == column.name}
    return {} if types.items() <= gathered.items() else types


class SourceColumns:
    """A Parquet file of CampaignID and sources. One that a file lacks is missing in its rows."""

    def __init__(self, path: Path, types: Mapping[str, pa.DataType], text: Text) -> None:
        """`text` is how numbers are written where they are texts."""
        self._text = text
        self._schema = pa.schema([(ID, pa.string()), *types.items()])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def __enter__(self) -> "SourceColumns":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, batch: Batch, keep: pa.Array) -> None:
        """The rows of a batch that are kept."""
        places = {name.casefold(): at for at, name in enumerate(batch.raw.schema.names)}
        columns = [batch.ids]
        for field in list(self._schema)[1:]:
            at = places.get(field.name.casefold())
            columns.append(pa.nulls(len(batch), field.type) if at is None else self._as(field, batch, at))
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema).filter(keep))

    def _as(self, field: pa.Field, batch: Batch, at: int) -> pa.Array:
        values = batch.raw.column(at)
        if pa.types.is_floating(field.type):
            return pa.array(numbers_of(values, NumberReader(field.name, batch.source, self._text)), from_pandas=True)
        return values.cast(pa.string())
