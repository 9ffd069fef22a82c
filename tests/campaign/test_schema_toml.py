import tomllib

from campaign.schema_file import parse_schema
from campaign.schema_toml import schema_text, table_lines
from tests.published import PUBLISHED_TOML, SCHEMA


def test_a_schema_that_is_written_is_read_as_it_was() -> None:
    written = schema_text(SCHEMA.to_table())
    assert parse_schema(written) == SCHEMA == parse_schema(PUBLISHED_TOML)


def test_every_value_comes_back_as_it_was() -> None:
    keys = {"text": 'a "b" \\ é', "number": 1.5, "claim": True, "list": ["a", 2], "table": {"name": ["x"], "least": 3}}
    assert tomllib.loads("\n".join(table_lines("[mine]", keys, {}))) == {"mine": keys}


def test_remarks_stand_under_each_other_and_behind_a_line_that_is_longer() -> None:
    keys = {"name": "a", "known": "at launch", "type": "text", "source": "x" * 40}
    head, name, known, plain, source, end = table_lines("[c]", keys, {"name": "one", "known": "two", "source": "more"})
    assert (head, plain, end) == ("[c]", 'type = "text"', "")
    assert name.split("# ") == ['name = "a"'.ljust(known.index("#")), "one"]
    assert known.split("# ") == ['known = "at launch"'.ljust(name.index("#")), "two"]
    assert source == 'source = "' + "x" * 40 + '"# more'
