"""What the repository says of itself is true."""

import re
import subprocess
from pathlib import Path

import pytest

from flows.readme import rewritten

ROOT = Path(__file__).parent.parent


def test_the_tables_of_readme_are_those_of_the_code():
    page = (ROOT / "README.md").read_text()
    assert page == rewritten(page), "run `make docs`"


def test_the_locks_pin_every_package_with_hashes_and_name_no_address():
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        packages = re.findall(r"^[a-z0-9].*$", text, flags=re.MULTILINE)
        assert packages
        assert all("==" in one for one in packages)
        assert text.count("--hash=") >= len(packages)


def test_make_says_which_python_it_needs(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    ended = subprocess.run(["make", "demo", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "needs Python 3.11 to 3.14; found: Python 3.9.1" in ended.stdout


@pytest.mark.parametrize(("room", "may"), [("campaign", {"campaign"}), ("tasks", {"campaign", "tasks"})])
def test_imports_run_one_way(room, may):
    for file in (ROOT / room).glob("*.py"):
        rooms = set(re.findall(r"^\s*(?:from|import) (campaign|tasks|flows)\b", file.read_text(), flags=re.MULTILINE))
        assert rooms <= may, f"{file.name} imports {rooms - may}"


def test_a_campaign_is_known_without_prefect_mlflow_and_evidently():
    for file in (ROOT / "campaign").glob("*.py"):
        assert not re.findall(r"^\s*(?:from|import) (prefect|mlflow|evidently)\b", file.read_text(), flags=re.MULTILINE)
