"""docker-compose.yml promises things that nobody would see missing until it is too late."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaign.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
ONE_SHOT = {"object-store-init", "deploy", "archive"}
# It hands a new volume over to another user, which root alone can do.
RUN_AS_ROOT = {"object-store-init"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded_and_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["mem_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["restart"]
    assert service["stop_grace_period"]
    assert service["user"].startswith("0") == (name in RUN_AS_ROOT)
    assert "docker.sock" not in str(service.get("volumes"))
    tag = service["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?", tag), service["image"]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOT))
def test_a_service_that_stays_is_checked_and_starts_after_what_it_needs(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert name == "postgres" or all("condition" in dependency for dependency in SERVICES[name]["depends_on"].values())


def test_every_port_is_on_loopback_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert {port.rpartition(":")[2] for port in ports} >= {"4200", "5000", "3000", "8000", "7070", "7071"}
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_has_a_default() -> None:
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|_KEY)\b)(:?[-?]?)", TEXT)
    assert secrets
    assert {operator for _, operator in secrets} == {":?"}


def test_each_setting_of_the_project_can_be_set_in_env() -> None:
    passed_on = SERVICES["worker"]["environment"].keys() | SERVICES["web"]["environment"].keys()
    settings = {
        f"CAMPAIGN_{name.upper()}" for name, field in Settings.model_fields.items() if not field.validation_alias
    }
    assert settings - passed_on == {"CAMPAIGN_HOME"}  # the image says it
