import pandas as pd
import pyarrow as pa
import pytest

from tasks.training.identity_remarks import has_given_ids, identity_remarks
from tests.published import SCHEMA


@pytest.fixture
def uri(tmp_path) -> str:
    rows = {"project_id": range(50), "goal": [at % 7 for at in range(50)], "state": ["yes", "no"] * 25}
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    return str(tmp_path / "a.csv")


def test_a_column_that_would_do_as_an_id_is_named(uri):
    [remark] = identity_remarks(uri, SCHEMA, has_ids=False, equal_rows=0)
    assert "no column CampaignID" in remark
    assert 'id = "project_id" under [row]' in remark


def test_equal_rows_are_counted(uri):
    [remark] = identity_remarks(uri, SCHEMA, has_ids=True, equal_rows=1_200)
    assert remark.startswith("1,200 rows equal an earlier one")


def test_rows_with_ids_that_differ_need_no_remark(uri):
    assert identity_remarks(uri, SCHEMA, has_ids=True, equal_rows=0) == []


@pytest.mark.parametrize(("name", "given"), [("CampaignID", True), ("project_id", False)])
def test_ids_are_given_under_the_names_that_a_schema_knows(name, given):
    assert has_given_ids(pa.record_batch({name: ["a"]}), SCHEMA) == given
