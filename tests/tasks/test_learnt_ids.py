import numpy as np
import pyarrow as pa

from campaign.identity import digests_of, id_of_values
from campaign.model import LEARNT
from campaign.schema import ID
from tasks.learnt_ids import LearntIds


def test_ids_of_a_model_are_looked_up_where_a_sample_of_the_day_is_among_them(tmp_path):
    sample = pa.table({ID: ["a", "b"]})
    assert LearntIds.of_day(tmp_path, {}, "2026-11-22", sample) is None  # a model from before kept none
    np.save(tmp_path / LEARNT, np.sort(digests_of(pa.array(["x", "b"]))))
    known = LearntIds.of_day(tmp_path, {}, "2026-11-22", sample)
    assert known.has(pa.array(["a", "b", "x"])).tolist() == [False, True, True]
    assert LearntIds.of_day(tmp_path, {}, "2026-11-22", pa.table({ID: ["a", "c"]})) is None


def test_an_id_made_of_values_counts_on_a_day_that_the_version_learnt_from_alone(tmp_path):
    """Two people of the same age, job and city are two people."""
    ids = [id_of_values([40, "clerk"]), "given"]
    np.save(tmp_path / LEARNT, np.sort(digests_of(pa.array(ids))))
    about, sample = {"days": {"2026-11-22": 9}}, pa.table({ID: ids})
    for day, learnt in (("2026-11-22", [True, True]), ("2026-11-23", [False, True])):
        assert LearntIds.of_day(tmp_path, about, day, sample).has(pa.array(ids)).tolist() == learnt
