"""What runs before any test does, and who could change it: tools that are installed, actions of CI."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INSTALLING = [ROOT / "Makefile", *sorted(ROOT.glob("deployments/*/Dockerfile"))]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("file", INSTALLING, ids=lambda file: str(file.relative_to(ROOT)))
def test_everything_is_installed_by_its_hash(file):
    installations = re.findall(r"pip install\b[^&\n]*", file.read_text())
    assert any("-r requirements-uv.lock" in installation for installation in installations)
    by_hash = [installation for installation in installations if "--require-hashes" in installation]
    assert [installation for installation in installations if installation not in by_hash] in (
        [],
        ["pip install --quiet --python $(BIN)/python --no-deps -e ."],  # this project itself
    )


def test_uv_is_never_built_here():
    """A wheel of another hash would be passed over for the source, whose build fetches tools that have no hash here."""
    assert "--only-binary uv" in (ROOT / "requirements-uv.lock").read_text().splitlines()


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_an_action_is_pinned_by_its_commit_and_says_its_version(file):
    steps = [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]
    pinned = re.findall(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", file.read_text(), flags=re.MULTILINE)
    assert len(pinned) == sum("uses" in step for step in steps) > 0
