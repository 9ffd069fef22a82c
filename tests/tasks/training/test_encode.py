from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.encoding import UNKNOWN_CATEGORY
from campaign.identity import TEST, VALIDATION
from tasks.training.encode import Parts, write_parts
from tasks.training.ingest import Sources
from tasks.training.split import buckets_of
from tasks.training.validate import gather
from tests.published import CATEGORIES, NAMES, SCHEMA, SCHEMAS

ROWS = 1_000
PARTS = ("test", "validation", "train")


@pytest.fixture
def data(tmp_path) -> str:
    """A gathered data set, of several row groups, in which one category is not shown by any training row, and another
    by the first training bucket alone."""
    table = pa.Table.from_batches(synthetic.campaigns(ROWS))
    pq.write_table(table, tmp_path / "base.parquet")
    path = gather(Sources("base", str(tmp_path / "base.parquet"), ()), tmp_path, SCHEMA)[0].path
    gathered = pq.read_table(path)
    buckets = buckets_of(path)
    categories = np.where(buckets > 1, gathered.column("Category").to_pylist(), "Podcast")
    categories = np.where(buckets == 2, "Opera", categories)
    at = gathered.schema.get_field_index("Category")
    pq.write_table(gathered.set_column(at, gathered.schema.field(at), pa.array(categories)), path, row_group_size=300)
    return path


def encoded(path: str, feature_set: str = "published") -> Parts:
    return write_parts(path, buckets_of(path), SCHEMAS[feature_set], Path(path).parent / feature_set)


@pytest.mark.parametrize("feature_set", ["published", "launch"])
def test_every_row_is_in_one_part_as_it_was(data, feature_set):
    parts, table = encoded(data, feature_set), pq.read_table(data)
    names = [column.name for column in SCHEMAS[feature_set].features]
    buckets = buckets_of(data)
    for part, own in zip(PARTS, (buckets == TEST, buckets == VALIDATION, buckets > VALIDATION), strict=True):
        assert (parts.rows(part) == np.flatnonzero(own)).all()
    for part in PARTS:
        matrix, rows_of_part = parts.matrix(part), table.take(parts.rows(part))
        assert matrix.dtype == np.float32
        assert matrix.shape == (len(rows_of_part), len(names))
        assert (parts.labels(part) == rows_of_part.column("IsSuccessful").to_numpy()).all()
        for at, name in enumerate(names):
            if name in CATEGORIES:
                known = parts.encoder.categories[name]
                wanted = [
                    known.index(category) if category in known else UNKNOWN_CATEGORY
                    for category in rows_of_part.column(name).to_pylist()
                ]
            else:
                wanted = rows_of_part.column(name).to_numpy().astype(np.float32)
            assert (matrix[:, at] == wanted).all()


def test_the_encoder_knows_what_training_rows_show_alone(data):
    parts = encoded(data)
    assert "Podcast" not in parts.encoder.categories["Category"]
    assert "Opera" in parts.encoder.categories["Category"]
    at = NAMES.index("Category")
    assert (parts.matrix("train")[:, at] >= 0).all()
    assert (parts.matrix("test")[:, at] == UNKNOWN_CATEGORY).all()


def test_encoding_again_leaves_the_same_bytes(data):
    def files(folder: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    before = files(encoded(data).folder)
    assert len(before) == 2 + 3 * len(PARTS)
    assert files(encoded(data).folder) == before


def test_the_times_of_rows_go_into_their_part(data):
    assert encoded(data).times("test") is None
    times = np.column_stack([np.arange(ROWS), np.arange(ROWS) + 0.5])
    np.save(Path(data).with_name("times.npy"), times)
    parts = encoded(data)
    for part in PARTS:
        assert (parts.times(part) == times[parts.rows(part)]).all()
