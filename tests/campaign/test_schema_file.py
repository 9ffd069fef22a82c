from pathlib import Path
from typing import Any

import pytest

from campaign.errors import BadInput
from campaign.schema_file import feature_set_of, home_schema, parse_schema, published, read_schema, served_model
from campaign.store import Store

SMALL = """[model]
name = "calls"

[outcome]
column = "y"
success = ["yes"]
failure = ["no"]

[[column]]
name = "age"
type = "number"
known = "at launch"

[[column]]
name = "job"
type = "category"
known = "at launch"
"""


def refusal(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        parse_schema(text)
    assert caught.value.remedy
    return caught.value.cause


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ('known = "at launch"', 'known = "launch"',
         'campaign.toml: [[column]] 1 (age): known is "launch"; it may be "at launch", '
         '"while running" or "at the end".'),
        ('type = "number"', 'type = "float"', '[[column]] 1 (age): type is "float"; it may be "number" or "category".'),
        ('type = "number"', 'typ = "number"\ntype = "number"',
         'campaign.toml: [[column]] 1 (age): there is no key "typ"; the nearest is "type".'),
        ('name = "calls"', 'name = "calls"\nfeatures = 3',
         '[model]: there is no key "features"; the nearest is "feature_set".'),
        ("[outcome]", "[outcom]", 'there is no table [outcom]; the nearest is [outcome].'),
        ('column = "y"\n', "",
         "campaign.toml: [outcome]: column is missing; name the column that says what became of a row."),
        ('success = ["yes"]', "success = []", "[outcome]: success is missing or empty; list the words of a success."),
        ('failure = ["no"]\n', "", "[outcome]: failure is missing or empty; list the words of a failure."),
        ('success = ["yes"]', 'success = "yes"', '[outcome]: success is "yes"; it is a list of texts, in brackets.'),
        ('name = "job"', 'name = "Age"', "[[column]] 2 (Age): another column has this name; each name may stand once."),
        ('name = "age"\n', "", "campaign.toml: [[column]] 1: name is missing."),
        ('name = "age"', 'name = "age"\nnullable = "maybe"',
         '[[column]] 1 (age): nullable is "maybe"; it is true or false.'),
        ('name = "age"', 'name = "age"\nminimum = "low"', '[[column]] 1 (age): minimum is "low"; it is a number.'),
        ('name = "age"', 'name = "age"\nderive = { days = ["a", "b"] }',
         '[[column]] 1 (age): there is no function "days"; there are days_between,'),
        ('name = "age"', 'name = "age"\nderive = { month = ["a", "b"] }',
         "[[column]] 1 (age): month takes 1 argument, not 2."),
        ('name = "age"', 'name = "age"\nsource = "Age"\nderive = { month = "a" }',
         "[[column]] 1 (age): has both source and derive; keep one of them."),
        ('name = "age"', 'name = "CampaignID"',
         "[[column]] 1 (CampaignID): this name is taken by the project's own files"),
        ('name = "age"', 'name = "probability"',
         "[[column]] 1 (probability): this name is taken by the project's own files"),
        ('[model]', '[text]\ndecimalChar = ";"\n[model]', '[text]: decimalChar is ";"'),
        ('[model]', '[text]\ndecimalChar = ","\ngroupChar = ","\n[model]',
         'campaign.toml: groupChar and decimalChar of [text] are both ","; one of them may be.'),
        ('type = "category"', 'type = "category"\nderive = { month = "a" }',
         '[[column]] 2 (job): month gives a number; its type may be "number".'),
        ('failure = ["no"]', 'failure = ["no"]\ndecide = 2.0', "[outcome]: decide is 2.0; it is less than 1.0."),
        ('[model]', '[text]\ntimezone = "Mars"\n[model]', '[text]: there is no time zone "Mars".'),
        ('[model]\nname = "calls"', "", "campaign.toml: [model] is missing."),
        ("[model]", "[model", "campaign.toml: it is not TOML:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence_with_what_may_stand_there(old: str, new: str, cause: str) -> None:
    assert old in SMALL
    assert cause in refusal(SMALL.replace(old, new, 1))


def test_no_columns_for_the_feature_set_is_a_fault() -> None:
    text = SMALL.replace('known = "at launch"', 'known = "at the end"')
    assert 'no column belongs to the feature set "launch"' in refusal(text)


@pytest.mark.parametrize(
    ("name", "known"), [("launch", "launch"), ("running", "running"), ("all", "all"), ("published", "all")]
)
def test_published_is_the_old_name_of_all(name: str, known: str) -> None:
    assert feature_set_of(name) == known


def test_an_unknown_feature_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"no feature set 'early'.*launch.*running.*all"):
        feature_set_of("early")


def test_a_home_takes_the_schema_that_is_named_or_else_its_own_or_else_the_published_one(
    own_home: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    assert home_schema() == published()
    assert served_model() == "campaign-success"
    own_home.mkdir(parents=True)
    (own_home / "campaign.toml").write_text(SMALL)
    assert served_model() == "calls"
    (tmp_path / "named.toml").write_text(SMALL.replace("calls", "mailings"))
    monkeypatch.setenv("CAMPAIGN_SCHEMA", str(tmp_path / "named.toml"))
    assert served_model() == "mailings"
    monkeypatch.setenv("CAMPAIGN_MODEL", "another")
    assert served_model() == "another"


def test_a_schema_is_read_from_the_object_store(s3: str) -> None:
    Store("s3://campaign/schemas").publish("calls.toml", SMALL.encode())
    assert read_schema("s3://campaign/schemas/calls.toml").name == "calls"


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "there is no such file"), (b"name = \xff", "it is not TOML, which is UTF-8")]
)
def test_a_schema_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, cause: str) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"mine\.toml: {cause}"):
        read_schema(str(path))
