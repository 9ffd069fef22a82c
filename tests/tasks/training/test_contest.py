from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.schema import ID, Schema
from campaign.schema_file import parse_schema
from tasks.measures import roc_auc
from tasks.training.contest import is_same_world, score_with_each
from tasks.training.encode import Parts, write_parts
from tasks.training.ingest import Sources
from tasks.training.split import buckets_of
from tasks.training.validate import Dataset, gather
from tests.published import KNOWN_CATEGORIES, LAUNCH, PUBLISHED_TOML, SCHEMA, WIDER

ROWS = 1_500
FORMAT_1 = Path(__file__).parents[2] / "campaign" / "format-1"


def table(seed: int = 1, prefix: str = "CID_") -> pa.Table:
    campaigns = pa.Table.from_batches(synthetic.campaigns(ROWS, seed, prefix))
    return campaigns.append_column("Mood", pa.array(np.random.default_rng(seed).random(ROWS)))


def gathered(folder: Path, campaigns: pa.Table, schema: Schema, *others: Schema) -> tuple[Dataset, Parts]:
    folder.mkdir(exist_ok=True)
    pq.write_table(campaigns, folder / "base.parquet")
    data = gather(Sources("base", str(folder / "base.parquet"), ()), folder, schema, others)[0]
    return data, write_parts(data.path, buckets_of(data.path), schema, folder / "parts")


def fitted(schema: Schema, path: str) -> ScoringModel:
    (batch,) = read_campaigns(path, schema, label=True)
    encoder = Encoder.fit(schema.features, KNOWN_CATEGORIES)
    forest = RandomForestClassifier(5, random_state=1).fit(encoder.encode(batch), batch.label)
    return ScoringModel(schema.name, "1", schema, encoder, Forest.from_sklearn(forest))


@pytest.fixture
def base(tmp_path) -> str:
    pq.write_table(table(), tmp_path / "all.parquet")
    return str(tmp_path / "all.parquet")


@pytest.mark.parametrize(("candidate", "rival"), [(SCHEMA, WIDER), (WIDER, SCHEMA), (LAUNCH, WIDER)])
def test_each_model_reads_the_test_rows_by_its_own_schema(tmp_path, base, candidate, rival):
    data, parts = gathered(tmp_path / "data", table(), candidate, rival)
    models = [fitted(schema, base) for schema in (candidate, rival)]
    rows = score_with_each(models, data, parts)
    for model, probability in zip(models, rows.probability, strict=True):
        (batch,) = read_campaigns(base, model.schema)
        np.testing.assert_array_equal(probability, model.probabilities_of(batch)[parts.rows("test")])
    assert (rows.label == parts.labels("test")).all()
    assert set(rows.day) == {""}
    assert rows.times is None
    assert rows.splits_alike.all()


def test_rows_that_stand_in_the_order_of_time_say_so(tmp_path, base):
    in_order = parse_schema(PUBLISHED_TOML.replace('identity = "all"', 'identity = "all"\norder = "time"'))
    data, parts = gathered(tmp_path / "data", table(), in_order)
    times = score_with_each([fitted(SCHEMA, base)], data, parts).times
    assert times is not None
    np.testing.assert_array_equal(times[:, 0], parts.rows("test"))


def test_a_model_that_needs_what_the_rows_lack_reads_none_of_them(tmp_path, base):
    data, parts = gathered(tmp_path / "data", table().drop(["Mood"]), SCHEMA, WIDER)
    [_, wider] = score_with_each([fitted(SCHEMA, base), fitted(WIDER, base)], data, parts).probability
    assert np.isnan(wider).all()


def test_rows_whose_id_another_writing_changes_are_marked(tmp_path, base):
    campaigns = table()
    ids = [f" {name}" if at % 2 else name for at, name in enumerate(campaigns[ID].to_pylist())]
    campaigns = campaigns.set_column(campaigns.column_names.index(ID), ID, pa.array(ids))
    data, parts = gathered(tmp_path / "data", campaigns, SCHEMA)
    rows = score_with_each([fitted(SCHEMA, base)], data, parts)
    assert (rows.splits_alike == (parts.rows("test") % 2 == 0)).all()


@pytest.mark.parametrize(
    ("campaigns", "same"),
    [
        (lambda: table(), True),
        (lambda: pa.concat_tables([table(), table(2, "later_")]), True),
        (lambda: table(2, "other_"), False),
        (lambda: table(2), False),  # the same numbers for other campaigns
    ],
    ids=["itself", "grown", "other ids", "same ids, other goals"],
)
def test_a_world_is_the_same_if_campaigns_and_their_goals_come_again(tmp_path, base, campaigns, same):
    champion = fitted(SCHEMA, base)
    (batch,) = read_campaigns(base, SCHEMA)
    test = np.isin(np.arange(ROWS), np.flatnonzero(buckets_of(base) == 0))
    reference = (
        table().filter(pa.array(test)).append_column("probability", pa.array(champion.probabilities_of(batch)[test]))
    )
    pq.write_table(reference, tmp_path / "reference.parquet")
    data, parts = gathered(tmp_path / "data", campaigns(), SCHEMA)
    assert is_same_world(champion, tmp_path / "reference.parquet", data, parts) is same


def test_a_champion_from_before_models_carried_their_schema_is_contested_by_its_own_data(tmp_path):
    """The bundle learnt from these campaigns, and was exported by the commit before that."""
    old = ScoringModel.load(FORMAT_1, "1")
    own = pa.Table.from_batches(synthetic.campaigns(3_000))
    data, parts = gathered(tmp_path / "data", own, SCHEMA, old.schema)
    assert is_same_world(old, FORMAT_1 / "reference.parquet", data, parts)
    [probability] = score_with_each([old], data, parts).probability
    assert roc_auc(parts.labels("test"), probability) > 0.9
    strangers = pa.Table.from_batches(synthetic.campaigns(3_000, seed=2))
    assert not is_same_world(old, FORMAT_1 / "reference.parquet", *gathered(tmp_path / "others", strangers, SCHEMA))


def test_without_a_goal_and_anything_known_at_launch_the_first_number_tells_campaigns_apart(tmp_path):
    late = parse_schema(
        PUBLISHED_TOML.replace('role = "goal"\n', "").replace('known = "at launch"', 'known = "while running"')
    )
    path = str(tmp_path / "base.parquet")
    pq.write_table(table(), path)
    champion = fitted(late, path)
    pq.write_table(table().append_column("probability", pa.array(np.zeros(ROWS))), tmp_path / "reference.parquet")
    for campaigns, same in ((table(), True), (table(2), False)):
        data, parts = gathered(tmp_path / f"data-{same}", campaigns, late)
        assert is_same_world(champion, tmp_path / "reference.parquet", data, parts) is same
