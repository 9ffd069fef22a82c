"""What the repository says of itself is true."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from flows.doc_tables import TABLES, rewritten
from tests.e2e import documents

ROOT = Path(__file__).parent.parent


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_tables_of_the_pages_are_those_of_the_code():
    written = {page: page.read_text() for page in PAGES}
    assert all(text == rewritten(text) for text in written.values()), "run `make docs`"
    assert all(sum(f"<!-- {name} -->" in text for text in written.values()) == 1 for name in TABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_is_there(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s#]+)|src=\"([^\"]+)\"", text):
        path = "".join(target)
        assert "://" in path or (page.parent / path).exists(), path
    assert page == ROOT / "README.md" or page.name in (ROOT / "README.md").read_text()


def test_readme_fits_three_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_command_stands_in_the_page_of_commands():
    from flows.cli import app

    page = (ROOT / "docs" / "command-line.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert [name for name in names if f"`campaign {name}" not in page] == []


def test_what_operations_says_to_type_is_what_make_e2e_types():
    typed = documents.INLINE.findall((ROOT / "docs" / "operations.md").read_text())
    assert [line.split()[:3] for line in sorted(typed)] == [
        ["exec", "training-worker", "campaign"], ["run", "--rm", "forget"],
    ]  # fmt: skip


def test_no_two_test_files_have_one_name():
    """pytest would import the first for both."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted({*names})


def test_the_locks_pin_every_package_with_hashes_and_name_no_address():
    for lock in ("requirements-uv.lock", "requirements.lock", "requirements-dev.lock", "benchmarks/requirements.lock"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        packages = re.findall(r"^[a-z0-9].*$", text, flags=re.MULTILINE)
        assert packages
        assert all("==" in package for package in packages)
        assert text.count("--hash=") >= len(packages)


def test_what_a_benchmark_installs_changes_no_version_of_what_is_there():
    pinned, added = (
        set(re.findall(r"^[a-z0-9].*==[^ ;]+", (ROOT / lock).read_text(), flags=re.MULTILINE))
        for lock in ("requirements-dev.lock", "benchmarks/requirements.lock")
    )
    names = {package.partition("==")[0] for package in pinned}
    assert {package for package in added - pinned if package.partition("==")[0] in names} == set()


def test_make_says_which_python_it_needs(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-uv.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    ended = subprocess.run(["make", "demo", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "needs Python 3.11 to 3.14; found: Python 3.9.1" in ended.stdout


def imports_of(file: Path) -> set[str]:
    """Every module that a file imports, wherever in it, and every name that it takes from one, dotted."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def is_within(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden_imports(root: Path, folder: str, forbidden: Iterable[str], pattern: str = "**/*.py") -> list[str]:
    """Each import of one of the packages in the files of a folder, with the file."""
    files = sorted((root / folder).glob(pattern))
    assert files, f"there is no file in {folder}"
    return [
        f"{file.relative_to(root)} imports {name}"
        for file in files
        for name in sorted(imports_of(file))
        if is_within(name, forbidden)
    ]


ROOMS = {f"tasks.{room}" for room in ("training", "scoring", "monitoring", "replay")}
RULES = {
    # what a folder may not import: imports run flows → tasks → campaign
    "campaign": ("campaign", {"tasks", "flows", "deployments", "infra", "prefect", "mlflow", "evidently"}),
    "tasks": ("tasks", {"flows", "deployments", "infra"}),
    "flows": ("flows", {"deployments", "infra"}),
    "deployments": ("deployments", {"tasks", "flows", "infra", "prefect"}),
    # no room of tasks/ imports another, and what stands beside them imports none
    "training": ("tasks/training", ROOMS - {"tasks.training"}),
    "scoring": ("tasks/scoring", ROOMS - {"tasks.scoring"}),
    "monitoring": ("tasks/monitoring", ROOMS - {"tasks.monitoring"}),
    "replay": ("tasks/replay", ROOMS - {"tasks.replay"}),
    "beside the rooms": ("tasks", ROOMS, "*.py"),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_imports_run_one_way(rule):
    assert forbidden_imports(ROOT, *rule) == []


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(
    "line", ["import {0}", "import {0}.deep", "from {0} import deep", "def f():\n    from {0}.deep import x"]
)
def test_an_import_against_the_rules_is_noticed(tmp_path, rule, line):
    folder, forbidden, *pattern = rule
    target = tmp_path / folder / ("deeper/module.py" if not pattern else "module.py")
    target.parent.mkdir(parents=True)
    for package in forbidden:
        target.write_text(line.format(package))
        assert len(forbidden_imports(tmp_path, folder, forbidden, *pattern)) == 1
    target.write_text("import json\nfrom campaignish import tasksy\n")
    assert forbidden_imports(tmp_path, folder, forbidden, *pattern) == []


def test_every_file_of_tasks_is_in_one_of_the_rooms_or_beside_them():
    folders = {file.parent.relative_to(ROOT).as_posix() for file in (ROOT / "tasks").rglob("*.py")}
    assert folders == {"tasks", *(room.replace(".", "/") for room in ROOMS)}


WATCHED_IMPORTS = """
import importlib, os, sys
OURS = ("campaign/", "tasks/", "flows/", "deployments/")

def refuse(self, name):
    # One of our files asks, directly or by `get`; libraries copy the whole environment, which is their business.
    frames = [sys._getframe(1), sys._getframe(2)]
    ours = [f.f_code.co_filename for f in frames if os.path.relpath(f.f_code.co_filename).startswith(OURS)]
    if ours:
        raise AssertionError(f"{ours[0]} reads {name} at import")
    return read(self, name)

read, os._Environ.__getitem__ = os._Environ.__getitem__, refuse
import campaign.settings
def settings(self, **values):
    raise AssertionError("settings are read at import")
campaign.settings.Settings.__init__ = settings
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_nothing_is_read_from_the_environment_at_import():
    names = [
        file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for folder in ("campaign", "tasks", "flows", "deployments/web_service")
        for file in (ROOT / folder).rglob("*.py")
        if file.stem not in ("__main__", "__init__") and not (folder != "campaign" and file.stem == "warm_up")
    ]
    ended = subprocess.run([sys.executable, "-c", WATCHED_IMPORTS, *names], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_flows_are_imported_without_what_takes_long_to_import():
    """A worker imports its flow for every run; what needs these libraries imports them inside its function."""
    heavy = {"pandas", "mlflow", "evidently", "sklearn", "scipy", "matplotlib"}
    code = f"import sys, flows.training, flows.monitoring, flows.batch_scoring; print(*({heavy} & sys.modules.keys()))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.split() == []
