"""A mutant meets its tests: those that mirror its module, then the rest of `make test-quick`.

cosmic-ray runs it on a copy of the tree that it has put the mutant into: `python meet.py COPY MODULE`. The last line is
the first test that fails, and 1 the exit status; nothing and 0 where no test does.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = ("tests/campaign", "tests/tasks")
QUICK = ("-m", "not outer")
NO_TEST = 5
# Seconds until a test is said to run for ever: a loop may have lost its end.
ENDLESS = 60


def mirrors_of(module: str) -> list[str]:
    """The test file of the same name; without one, those of its room that import it."""
    path = Path(module)
    folder = "tests" / path.parent
    if (named := folder / f"test_{path.name}").exists():
        return [str(named)]
    imported = re.compile(rf"from {'.'.join(path.parent.parts)}(\.{path.stem} import|.* import .*\b{path.stem}\b)")
    return [str(test) for test in sorted(folder.glob("test_*.py")) if imported.search(test.read_text())]


def others_that_may_notice(module: str, mirrors: list[str]) -> list[str]:
    """The rest of `make test-quick`, own room first, without what cannot meet the module: imports run one way, from
    tasks/ to campaign/, and from the rooms of tasks/ to what stands beside them."""
    path = Path(module)
    tests = [test for folder in TESTS for test in sorted(Path(folder).rglob("test_*.py"))]
    own = "tests" / path.parent
    if path.parent != Path("campaign"):
        tests = [test for test in tests if test.parent != Path("tests/campaign")]
    if path.parent.parent == Path("tasks"):
        room = ".".join(path.parent.parts)
        tests = [test for test in tests if test.parent == own or room in test.read_text()]
    return [
        str(test) for test in sorted(tests, key=lambda test: (test.parent != own, test)) if str(test) not in mirrors
    ]


def meet(copy: Path, module: str) -> str:
    """The id of the first test that fails, "" where none does."""
    os.chdir(copy)
    mirrors = mirrors_of(module)
    return first_failing(copy, mirrors) or first_failing(copy, [*QUICK, *others_that_may_notice(module, mirrors)])


def first_failing(copy: Path, chosen: list[str]) -> str:
    """The id of the first of the chosen tests of a tree that fails, "" where none does."""
    if not chosen:
        return ""
    options = ["-x", "-q", "-rfE", "-p", "no:cacheprovider", f"--timeout={ENDLESS}", f"--basetemp={copy}.tmp"]
    # Plugins that these tests do without would take longer to import than most of the tests.
    options += ["-p", "pytest_timeout", "-p", "xdist"]
    environment = os.environ | {
        "PYTHONPATH": str(copy), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NUMBA_CACHE_DIR": f"{copy}.numba",
    }  # fmt: skip
    command, parent = [sys.executable, "-m", "pytest", *options, *chosen], os.getppid()
    with subprocess.Popen(command, cwd=copy, env=environment, stdout=subprocess.PIPE, text=True) as run:
        while True:
            try:
                said = run.communicate(timeout=2)[0]
                break
            except subprocess.TimeoutExpired:
                if os.getppid() != parent:  # whoever asked was interrupted
                    run.kill()
                    sys.exit(1)
    if run.returncode in (0, NO_TEST):
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, flags=re.MULTILINE)
    return failed[1] if failed else f"{chosen[-1]}: pytest ended with {run.returncode}"


if __name__ == "__main__":
    noticed_by = meet(Path(sys.argv[1]), sys.argv[2])
    print(noticed_by)
    sys.exit(bool(noticed_by))
