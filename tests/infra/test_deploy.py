"""The schema of a home, put where the stack's services read it."""

import pytest

from campaign.errors import BadInput
from campaign.store import Store
from infra.prefect import deploy

OWN = """
[model]
name = "projects"
[outcome]
column = "state"
success = ["successful"]
failure = ["failed"]
[[column]]
name = "goal"
type = "number"
known = "at launch"
"""


@pytest.fixture
def store(own_home, tmp_path, monkeypatch) -> Store:
    """An empty store, in which CAMPAIGN_SCHEMA names an object, and a home that is mounted."""
    store = Store((tmp_path / "store").as_uri())
    monkeypatch.setenv("CAMPAIGN_STORE", store.uri)
    monkeypatch.setenv("CAMPAIGN_SCHEMA", f"{store.uri}/base/schema.toml")
    monkeypatch.setattr(deploy, "HOME", tmp_path / "mounted")
    (tmp_path / "mounted").mkdir()
    return store


def write(schema: str) -> None:
    (deploy.HOME / "campaign.toml").write_text(schema)


def test_the_homes_schema_is_where_services_read_it_and_changes_with_it(store, capsys):
    write(OWN)
    deploy.publish_schema()
    assert store.read("base/schema.toml").decode() == OWN
    capsys.readouterr()
    deploy.publish_schema()
    assert capsys.readouterr().out == ""  # nothing changed
    write(OWN.replace('name = "goal"', 'name = "amount"'))
    deploy.publish_schema()
    assert b"amount" in store.read("base/schema.toml")


def test_what_is_there_stays_where_the_home_has_no_schema(store):
    store.publish("base/schema.toml", OWN.encode())
    deploy.publish_schema()
    assert store.read("base/schema.toml").decode() == OWN


def test_another_model_is_refused(store):
    store.publish("base/schema.toml", OWN.encode())
    write(OWN.replace("projects", "mailings"))
    with pytest.raises(BadInput, match="This stack serves projects"):
        deploy.publish_schema()
    assert store.read("base/schema.toml").decode() == OWN


@pytest.mark.parametrize(("schema", "message"), [("", "the home has no campaign.toml"), ("[model]\n", "campaign.toml")])
def test_no_schema_and_a_wrong_one_are_said(store, schema, message):
    if schema:
        write(schema)
    with pytest.raises(BadInput, match=message):
        deploy.publish_schema()
    assert not store.exists("base/schema.toml")


def test_a_stack_of_the_published_schema_needs_none(store, monkeypatch):
    monkeypatch.setenv("CAMPAIGN_SCHEMA", "")
    write(OWN)
    deploy.publish_schema()
    assert store.entries("") == []
