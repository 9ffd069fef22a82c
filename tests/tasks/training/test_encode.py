from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.encoding import UNKNOWN_CATEGORY
from tasks.training.encode import Parts, by_success_rate, write_parts
from tasks.training.ingest import Sources
from tasks.training.split import buckets_of
from tasks.training.validate import gather
from tests.published import CATEGORIES, NAMES, SCHEMA, SCHEMAS

ROWS = 1_000
PARTS = ("test", "validation", "train")


@pytest.fixture
def data(tmp_path) -> str:
    """A gathered data set in which one category is not shown by any training row."""
    table = pa.Table.from_batches(synthetic.campaigns(ROWS))
    pq.write_table(table, tmp_path / "base.parquet")
    path = gather(Sources("base", str(tmp_path / "base.parquet"), ()), tmp_path, SCHEMA)[0].path
    gathered = pq.read_table(path)
    train = buckets_of(path) > 1
    categories = np.where(train, gathered.column("Category").to_pylist(), "Podcast")
    at = gathered.schema.get_field_index("Category")
    pq.write_table(gathered.set_column(at, gathered.schema.field(at), pa.array(categories)), path)
    return path


def encoded(path: str, feature_set: str = "published") -> Parts:
    return write_parts(path, buckets_of(path), SCHEMAS[feature_set], Path(path).parent / feature_set)


@pytest.mark.parametrize("feature_set", ["published", "launch"])
def test_every_row_is_in_one_part_as_it_was(data, feature_set):
    parts, table = encoded(data, feature_set), pq.read_table(data)
    names = [column.name for column in SCHEMAS[feature_set].features]
    assert sorted(np.concatenate([parts.rows(part) for part in PARTS])) == [*range(ROWS)]
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
    at = NAMES.index("Category")
    assert (parts.matrix("train")[:, at] >= 0).all()
    assert (parts.matrix("test")[:, at] == UNKNOWN_CATEGORY).all()


def test_encoding_again_leaves_the_same_bytes(data):
    def files(folder: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    before = files(encoded(data).folder)
    assert len(before) == 2 + 3 * len(PARTS)
    assert files(encoded(data).folder) == before


def test_categories_stand_in_the_order_of_their_success(data):
    parts, table = encoded(data), pq.read_table(data)
    train = table.take(parts.rows("train")).to_pandas()
    mean = train["IsSuccessful"].mean()
    for name in CATEGORIES:
        grouped = train.groupby(name)["IsSuccessful"].agg(["sum", "count"])
        rate = (grouped["sum"] + 20 * mean) / (grouped["count"] + 20)
        assert list(parts.encoder.categories[name]) == [*rate.sort_values().index]


@pytest.mark.parametrize(
    ("counts", "order"),
    [
        ({"a": (100, 90), "b": (100, 10), "c": (100, 50)}, ["b", "c", "a"]),
        (
            {"a": (1_000, 400), "one that won": (1, 1), "b": (1_000, 600)},
            ["a", "one that won", "b"],
        ),  # one row is little
        ({"Film": (50, 0), "film": (50, 50), "a": (100, 40)}, ["a", "Film"]),
        ({"b": (10, 5), "a": (10, 5)}, ["a", "b"]),
        ({}, []),
    ],
)
def test_rates_of_few_rows_are_drawn_to_the_mean(counts, order):
    assert by_success_rate(counts) == order


def test_rows_of_other_parts_have_no_say_in_the_order(data):
    """A test row's outcome in a code would tell what it is to be judged on."""
    before = encoded(data).encoder
    table = pq.read_table(data)
    at, label = table.schema.get_field_index("IsSuccessful"), table.column("IsSuccessful").to_numpy().copy()
    train = buckets_of(data) > 1
    label[~train] = 1 - label[~train]
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(label)), data)
    assert encoded(data).encoder == before
