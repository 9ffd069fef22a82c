import pyarrow as pa
import pyarrow.parquet as pq

from campaign.reading import read_campaigns
from campaign.schema_file import parse_schema
from campaign.schema_parts import Text
from tasks.training.source_columns import SourceColumns, source_types
from tests.published import LAUNCH, PUBLISHED_TOML, SCHEMA, WIDER

MONTH = """
[[column]]
name = "Month"
type = "number"
known = "at launch"
nullable = true
derive = { month = "launched" }
"""
DERIVED = parse_schema(PUBLISHED_TOML + MONTH)


def test_nothing_is_kept_twice_where_all_read_what_is_gathered():
    assert source_types(SCHEMA, []) == {}
    assert source_types(SCHEMA, [SCHEMA, LAUNCH]) == {}
    assert source_types(WIDER, [SCHEMA]) == {}


def test_what_another_version_reads_more_is_kept_and_sources_of_derived_columns_as_text():
    assert source_types(SCHEMA, [WIDER])["Mood"] == pa.float64()
    types = source_types(DERIVED, [])
    assert types["launched"] == pa.string()
    assert types["Category"] == pa.string()


def test_a_number_for_one_and_a_category_for_another_is_kept_as_text():
    text = PUBLISHED_TOML.replace('name = "NumUpdates"\ntype = "number"', 'name = "NumUpdates"\ntype = "category"')
    other = parse_schema(text)
    assert source_types(SCHEMA, [other])["NumUpdates"] == pa.string()


def test_rows_are_kept_as_they_came_and_what_a_file_lacks_is_missing(tmp_path):
    table = pa.table({"CampaignID": ["a", "b", "c"], "usd": [1, 2, 3], "when": ["2016-01-01", None, "2016-01-03"]})
    pq.write_table(table, tmp_path / "in.parquet")
    schema = parse_schema(
        '[model]\nname = "m"\n[outcome]\ncolumn = "y"\nsuccess = ["1"]\nfailure = ["0"]\n'
        '[[column]]\nname = "Goal"\nsource = "USD"\ntype = "number"\nknown = "at launch"\n'
    )
    (batch,) = read_campaigns(str(tmp_path / "in.parquet"), schema, kept=("when", "mood"))
    types = {"USD": pa.float64(), "when": pa.string(), "mood": pa.float64()}
    with SourceColumns(tmp_path / "sources.parquet", types, Text()) as kept:
        kept.add(batch, pa.array([True, False, True]))
    assert pq.read_table(tmp_path / "sources.parquet").to_pylist() == [
        {"CampaignID": "a", "USD": 1.0, "when": "2016-01-01", "mood": None},
        {"CampaignID": "c", "USD": 3.0, "when": "2016-01-03", "mood": None},
    ]
