"""docker-compose.yml promises things that nobody would see missing until it is too late."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaign.settings import Settings
from infra.secret_files import DASK_CERTIFICATE, DASK_KEY, secret_files
from infra.write_env import SECRETS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
NETWORKS: dict[str, Any] = yaml.safe_load(TEXT)["networks"]
ONE_SHOT = {
    "object-store-init", "object-store-setup", "postgres-setup", "mlflow-setup", "deploy", "forget", "archive",
}  # fmt: skip
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
    assert {port.rpartition(":")[2] for port in ports} == {"4200", "5000", "3000", "8000", "7070", "7071", "9090"}
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_has_a_default() -> None:
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|_KEY)\b)(:?[-?]?)", TEXT)
    assert secrets
    assert {operator for _, operator in secrets} == {":?"}


def test_each_setting_of_the_project_can_be_set_in_env() -> None:
    passed_on = SERVICES["training-worker"]["environment"].keys() | SERVICES["web"]["environment"].keys()
    settings = {
        f"CAMPAIGN_{name.upper()}" for name, field in Settings.model_fields.items() if not field.validation_alias
    }
    assert settings - passed_on == {"CAMPAIGN_HOME"}  # the image says it


def test_each_secret_is_a_file_that_make_up_writes_and_some_service_names() -> None:
    declared = yaml.safe_load(TEXT)["secrets"]
    written = {*secret_files(dict.fromkeys(SECRETS, "x")), "campaign-schema", DASK_CERTIFICATE, DASK_KEY}
    assert all(file["file"].endswith(f"/secrets/{name}") for name, file in declared.items())
    assert declared.keys() == written
    assert {name for service in SERVICES.values() for name in secrets_of(service)} == written


def secrets_of(service: dict[str, Any]) -> set[str]:
    return {secret if isinstance(secret, str) else secret["source"] for secret in service.get("secrets", [])}


def test_root_s_key_and_the_databases_superuser_are_known_to_who_sets_up_alone() -> None:
    holders = {name: secrets_of(service) for name, service in SERVICES.items()}
    assert {name for name, held in holders.items() if "object-store-root" in held} == {"object-store-setup"}
    assert {name for name, held in holders.items() if "postgres-password" in held} == {"postgres", "postgres-setup"}
    assert {name for name, held in holders.items() if "object-store-forget" in held} == {"forget"}
    assert {name for name, service in SERVICES.items() if "S3_SECRET_KEY" in str(service)} == {"object-store"}


@pytest.mark.parametrize("name", SERVICES)
def test_no_password_stands_in_a_command_line(name: str) -> None:
    service = SERVICES[name]
    said = str([service.get("command"), service.get("entrypoint"), service.get("healthcheck")])
    assert not re.search(r"\$\{?\w*(PASSWORD|SECRET|_KEY)", said)


def test_prometheus_watches_the_web_service_and_can_do_nothing_else() -> None:
    """It asks nobody for a login, so who reaches it may read: it holds one key, and meets two services."""
    service = SERVICES["prometheus"]
    assert secrets_of(service) == {"prometheus-web-key"}
    assert service["networks"] == ["watch"]
    assert "environment" not in service
    assert [volume for volume in service["volumes"] if volume.startswith("./")] == [
        "./infra/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro"
    ]
    assert "--storage.tsdb.retention.time=15d" in service["command"]
    assert not [option for option in service["command"] if option.startswith(("--web.enable", "--enable"))]
    assert {name for name, other in SERVICES.items() if "prometheus-web-key" in secrets_of(other)} == {"prometheus"}


def test_prometheus_comes_with_grafana_and_can_come_without() -> None:
    assert set(SERVICES["grafana"]["profiles"]) < set(SERVICES["prometheus"]["profiles"])


def test_it_scrapes_the_web_service_under_a_name_that_is_allowed_whatever_names_are_set() -> None:
    [job] = yaml.safe_load((ROOT / "infra" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["web:8000"]}]
    assert job["authorization"] == {"credentials_file": "/run/secrets/prometheus-web-key"}
    assert "web" in Settings().allowed_hosts.split(",")
    passed_on = SERVICES["web"]["environment"]["CAMPAIGN_ALLOWED_HOSTS"]
    assert passed_on == "${CAMPAIGN_ALLOWED_HOSTS:+${CAMPAIGN_ALLOWED_HOSTS},web}"  # empty: the default, which has it


def test_a_network_is_for_who_needs_it() -> None:
    members = {network: {n for n, s in SERVICES.items() if network in s.get("networks", [])} for network in NETWORKS}
    assert members["dask"] == {"dask-scheduler", "dask-worker", "worker", "training-worker"}
    assert members["watch"] == {"prometheus", "web", "grafana"}
    assert {name for name, service in SERVICES.items() if service.get("ports")} <= members["edge"] | {"prometheus"}
    assert not members["edge"] & {"postgres", "worker", "traffic-worker", "watchdog", "deploy", "forget"}
    assert NETWORKS["data"] == NETWORKS["dask"] == {"internal": True}
    assert all(service.get("networks") or service.get("network_mode") == "none" for service in SERVICES.values())
