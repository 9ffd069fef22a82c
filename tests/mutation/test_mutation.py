"""What `make mutate` puts into the code, and what it counts."""

import ast
from pathlib import Path

import pytest
from cosmic_ray.work_item import WorkerOutcome, WorkResult

from tests.mutation import mutants, session
from tests.mutation.meet import mirrors_of
from tests.mutation.mutants import KERNELS, ROOMS, ROOT, SEED, Mutant, equivalent_mutants, mutants_of, sample_of
from tests.mutation.score import PAGE, marks_of, rows


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A tree with one module in one room."""
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    (tmp_path / "tasks").mkdir()

    def write(code: str) -> list[Mutant]:
        (tmp_path / "tasks/days.py").write_text(code)
        return [*mutants_of("tasks/days.py")]

    return write


def test_a_mutant_changes_one_place_of_one_line(module):
    found = module("def due(day, last):\n    return day < last and last > 0\n")
    assert {mutant.lines()[1] for mutant in found} == {
        "return day <= last and last > 0", "return day >= last and last > 0", "return day < last or last > 0",
        "return day < last and last >= 0", "return day < last and last <= 0", "return day < last and last > 1",
        "return day < last and last > -1",
    }  # fmt: skip


def test_what_is_no_code_is_left_alone(module):
    assert module("def due(day: int | None, *, last: float | None = None) -> str | None: ...\n") == []


def test_kernels_are_left_out_and_are_all_that_numba_compiles(module):
    assert (
        module("def walk_trees(rows):\n    def child(at):\n        return at + 1\n    return rows + child(1)\n") == []
    )
    compiled = set()
    for room in ROOMS:
        for path in Path(ROOT, room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "compiled":
                    compiled.add(node.args[0].id)
    assert compiled == KERNELS


def test_a_sample_stays_as_it_was_where_another_line_changes(module):
    code = "".join(f"def f{n}(a):\n    return a + {n + 7}\n" for n in range(30))
    module(code)
    before, _ = sample_of("tasks", 20)
    module("LEAST = 3 * 4\n\n" + code)
    after, _ = sample_of("tasks", 20)
    assert len(before) == 20
    assert len({mutant.key for mutant in before} & {mutant.key for mutant in after}) >= 18


def test_what_changes_nothing_is_told_apart(module, monkeypatch):
    module("SECONDS = 3600\n")
    known = mutants.Equivalent("tasks/days.py", "SECONDS = 3600", "SECONDS = 3601", "a second more")
    monkeypatch.setattr(mutants, "equivalent_mutants", lambda: {(known.file, known.before, known.after): known})
    drawn, left_out = sample_of("tasks", 5)
    assert [mutant.lines()[1] for mutant in drawn] == ["SECONDS = 3599"]
    assert left_out == [known]


def test_every_mutant_that_is_said_to_change_nothing_is_still_there():
    known = equivalent_mutants()
    for file in {file for file, _, _ in known}:
        listed = {(before, after) for path, before, after in known if path == file}
        source = (ROOT / file).read_text().splitlines()
        # The others are of other lines: to make each of them would take minutes.
        near = (mutant for mutant in mutants_of(file)
                if any(" ".join(source[mutant.start[0] - 1].split()) in before for before, _ in listed))  # fmt: skip
        assert listed <= {mutant.lines() for mutant in near}, file


def test_the_tests_of_a_module_are_those_of_its_name_or_those_that_import_it():
    assert mirrors_of("tasks/monitoring/drift.py") == ["tests/tasks/monitoring/test_drift.py"]
    assert "tests/campaign/test_times.py" in mirrors_of("campaign/schema_parts.py")


def test_a_result_holds_until_the_module_or_the_test_that_noticed_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "ROOT", tmp_path)
    monkeypatch.setattr(session, "FOLDER", tmp_path / ".mutation")
    for name in ("tasks/days.py", "tests/tasks/test_days.py", "tests/tasks/test_manifest.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("A = 1\n")
    mutant = Mutant("tasks/days.py", "core/NumberReplacer", 0, (1, 4), (1, 5), "0" * 16)
    for noticed_by, kept in (("tests/tasks/test_days.py::test_a", True), ("", False)):
        begun = session.Session([mutant], 1)
        begun.keep(mutant, noticed_by, WorkResult(WorkerOutcome.NORMAL))
        assert session.Session([mutant], 1).noticed_by == {mutant.key: noticed_by}
        (tmp_path / "tests/tasks/test_manifest.py").write_text(f"A = {noticed_by!r}\n")
        assert (session.Session([mutant], 1).noticed_by == {mutant.key: noticed_by}) is kept


def test_the_score_is_by_room_and_of_all():
    drawn = [Mutant(f"tasks/{name}.py", "", 0, (1, 0), (1, 1), name) for name in ("days", "manifest", "sampling")]
    noticed_by = {
        "days": "tests/tasks/test_days.py::test_a",
        "manifest": "tests/tasks/test_days.py::test_b",
        "sampling": "",
    }
    assert rows({"tasks": (drawn, [])}, noticed_by) == [
        (name, "3", "1", "1", "1", "66.7%") for name in ("tasks", "all")
    ]
    assert all(PAGE.read_text().count(mark) == 1 for mark in marks_of(SEED))
