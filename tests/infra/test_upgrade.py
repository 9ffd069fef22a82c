"""The workers of a version without work pools are stopped before an upgrade, and those of this version are not."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "infra" / "stop_old_workers.sh"
DOCKER = """\
#!/bin/sh
echo "$*" >> docker-calls
case "$*" in *"--quiet training-worker"*) echo "$TRAINING" ;; *"ps --quiet"*) echo "$OLD" ;; esac
"""


@pytest.mark.parametrize(("old", "training", "stops"), [("abc", "", True), ("abc", "def", False), ("", "", False)])
def test_workers_that_know_no_pools_are_stopped(tmp_path: Path, old: str, training: str, stops: bool) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    env = os.environ | {"PATH": f"{docker.parent}:{os.environ['PATH']}", "OLD": old, "TRAINING": training}
    ended = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    assert ("stop worker dask-worker" in (tmp_path / "docker-calls").read_text()) == stops
    assert ("their runs go on" in ended.stderr) == stops
