from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.errors import BadInput
from campaign.identity import TEST, VALIDATION, bucket_of
from campaign.schema import ID, LABEL
from tasks.training.split import buckets_of, check_parts, split
from tests.published import SCHEMA

LABELS = np.arange(200) % 2
BUCKETS = np.arange(200, dtype=np.uint8) // 2 % 5  # each part holds both labels


def parts_of(tmp_path, table: pa.Table) -> dict[str, int]:
    pq.write_table(table, tmp_path / "campaigns.parquet", row_group_size=500)
    return dict(zip(table.column(ID).to_pylist(), buckets_of(str(tmp_path / "campaigns.parquet")), strict=True))


def test_a_campaign_keeps_its_part_however_the_data_grows(tmp_path):
    base = pa.Table.from_batches(synthetic.campaigns(2_000, seed=1))
    day = pa.Table.from_batches(synthetic.campaigns(1_000, seed=2, prefix="day_"))
    before = parts_of(tmp_path, base)
    grown = pa.concat_tables([day.drop(["GoalAmount"]), base.drop(["GoalAmount"])])  # nothing but the id counts
    after = parts_of(tmp_path, grown.take(np.random.default_rng(1).permutation(3_000)))
    assert before.items() <= after.items()


def test_a_fifth_is_test_a_fifth_validation_and_the_rest_train(tmp_path):
    parts = np.array([*parts_of(tmp_path, pa.Table.from_batches(synthetic.campaigns(5_000))).values()])
    shares = [(parts == TEST).mean(), (parts == VALIDATION).mean(), (parts > 1).mean()]
    assert shares == pytest.approx([0.2, 0.2, 0.6], abs=0.02)


def test_rows_are_counted_by_their_part_and_their_buckets_lie_beside_the_data(tmp_path):
    ids = [f"C{number}" for number in range(300)]
    pq.write_table(pa.table({ID: ids, LABEL: [0, 1] * 150}), tmp_path / "campaigns.parquet")
    data = SimpleNamespace(path=str(tmp_path / "campaigns.parquet"), shown="base.csv", schema=SCHEMA)
    found, buckets = split.fn(data), np.array([bucket_of(campaign_id) for campaign_id in ids])
    assert (np.load(found.buckets) == buckets).all()
    counts = (buckets == TEST).sum(), (buckets == VALIDATION).sum(), (buckets > VALIDATION).sum()
    assert len({*counts}) == 3
    assert (found.test, found.validation, found.train) == counts


@pytest.mark.parametrize(
    ("buckets", "labels"),
    [
        (BUCKETS, LABELS),
        (BUCKETS[:100], LABELS[:100]),
        (BUCKETS, np.where(BUCKETS > 2, 1, LABELS)),  # the first of the three buckets to train on has both
    ],
)
def test_enough_rows_of_both_outcomes_pass(buckets, labels):
    check_parts(buckets, labels, "data")


@pytest.mark.parametrize(
    ("buckets", "labels", "cause"),
    [
        (BUCKETS[:99], LABELS[:99], "data: 99 good rows are too few"),
        (BUCKETS, np.where(BUCKETS > VALIDATION, 1, LABELS), "data: the train part has only successes"),
        (BUCKETS, np.ones(200, int), "data: the train part has only successes"),
        (BUCKETS, np.where(BUCKETS == TEST, 0, LABELS), "data: the test part has only failures"),
        (np.where(BUCKETS == VALIDATION, 2, BUCKETS), LABELS, "data: the validation part has no rows"),
    ],
)
def test_data_that_no_model_can_be_chosen_on_is_refused(buckets, labels, cause):
    with pytest.raises(BadInput, match=cause):
        check_parts(buckets, labels, "data")
