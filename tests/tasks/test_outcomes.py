import pyarrow as pa
import pyarrow.parquet as pq

from campaign.schema import ID, LABEL
from tasks.outcomes import NO_OUTCOME, Outcomes
from tests.published import SCHEMA


def written(path, ids: list, labels: list) -> str:
    pq.write_table(pa.table({ID: pa.array(ids, pa.string()), LABEL: labels}), path)
    return str(path)


def test_the_first_outcome_of_a_campaign_counts(tmp_path):
    uris = (
        written(tmp_path / "b.parquet", ["a", "b", None], [1, None, 1]),
        written(tmp_path / "c.parquet", ["a", "c"], [0, 1]),
    )
    outcomes = Outcomes.read(uris, SCHEMA)
    assert outcomes.of(pa.array(["c", "b", "a", "nobody"])).tolist() == [1, NO_OUTCOME, 1, NO_OUTCOME]
    assert len(outcomes.packed) == 2


def test_where_no_outcome_has_come_none_is_known():
    assert Outcomes.read((), SCHEMA).of(pa.array(["a"])).tolist() == [NO_OUTCOME]
