"""Every benchmark still goes through, at a tiny size: `make bench-smoke`. No figure is judged.

`make test` leaves it out, for its name does not begin with test_.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks import measure, report, scale, serving_contenders, world
from benchmarks.real_contenders import RIVALS, SERVED
from benchmarks.real_splits import BEFORE, BY_ID, LATEST
from benchmarks.scoring import OURS

pytestmark = pytest.mark.timeout(1_800)  # a machine that has other work to do is no reason to fail

# The code is this folder's, and so are the results that must not change, wherever the environment points to.
ROOT = Path(__file__).parents[2]
assert measure.ROOT == ROOT, f"the benchmarks are those of {measure.ROOT}"


@dataclass(frozen=True)
class Benchmark:
    """Arguments with which it takes seconds and leaves out none of its code; and how long its table is, and its
    targets."""

    name: str
    arguments: str
    rows: int
    targets: int
    needs_champion: bool = False


SAVING = [
    Benchmark("replay", "--rows 6000 --first 2017-11 --trials 1", rows=1, targets=3),
    Benchmark("cluster", "--rows 3000 --fitted 3000 --trials 1", rows=3, targets=0, needs_champion=True),
    Benchmark("small_days", "--seeds 1 --days 180", rows=14, targets=14),
    Benchmark("overhead", "--rows 3000 --trials 1 --rounds 1", rows=3, targets=1),
    Benchmark("scoring", "--rows 3000 --rivals 2000 --few 1500 --rounds 1", rows=11, targets=4, needs_champion=True),
    Benchmark("monitoring", "--rows 3000", rows=2, targets=1, needs_champion=True),
    Benchmark("startup", "--rows 2000 --few 1000 --rounds 1", rows=7, targets=3),
    Benchmark("search", "--rows 3000 --trials 2 --grid 1 --same 1 --rounds 1", rows=4, targets=3),
    Benchmark("training", "--rows 3000 --trials 1", rows=1, targets=1),
    Benchmark("shadow", "--rows 3000 --rounds 1", rows=3, targets=1, needs_champion=True),
    Benchmark("listing", "--days 100", rows=1, targets=1),
    Benchmark("reading", "--rows 2000 --rounds 1", rows=2, targets=1),
]
PRINTING = {
    "real": "--sample 1500 --trials 1 --seeds 1 --rounds 1",
    "serving": "--seconds 0.2 --rounds 1 --workers 1",
}
NAMES = {*PRINTING, *(benchmark.name for benchmark in SAVING)}


@pytest.fixture(scope="session")
def champion_home(of_all_processes) -> Path:
    """A home whose champion learnt from few rows: trained by the process that asks for it first, for all of them."""
    folder = of_all_processes / "champion"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        world.make_home(folder, rows=3_000, trials=1)
    return folder / "home"


def run(name: str, arguments: list[str], results: Path) -> str:
    """What it prints. Its results go into the folder `results`, not where the pages' own are."""
    ended = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=ROOT,
        env=os.environ | {"CAMPAIGN_BENCH_RESULTS": str(results), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, f"{ended.stdout[-2_000:]}\n{ended.stderr[-4_000:]}"
    return ended.stdout


def test_beside_other_models(tmp_path):
    if not find_spec("catboost"):
        pytest.skip("CatBoost is not installed (`make .venv/installed-bench` does)")
    printed = run("real", [*PRINTING["real"].split(), "--folder", str(tmp_path / "data")], tmp_path)
    for expected in (LATEST, BEFORE, BY_ID, OURS, *RIVALS, *SERVED, "What it takes", "Targets"):
        assert expected in printed
    assert not [*tmp_path.glob("*.json")]


@pytest.mark.parametrize("benchmark", SAVING, ids=lambda benchmark: benchmark.name)
def test_its_results_are_what_the_pages_are_made_of(benchmark, request, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    arguments = benchmark.arguments.split()
    if benchmark.name not in ("listing", "small_days"):  # all but those keep something
        arguments += ["--folder", str(folder)]
    if benchmark.needs_champion:
        shutil.copytree(request.getfixturevalue("champion_home"), folder / "home")
    run(benchmark.name, arguments, tmp_path)
    results = json.loads((tmp_path / f"{benchmark.name}.json").read_text())
    [rows] = results["tables"].values()
    assert (len(rows), len(results["targets"])) == (benchmark.rows, benchmark.targets)
    assert all(str(value) not in ("", "nan") for row in rows for value in row.values())
    if benchmark.name in report.NAMES:
        monkeypatch.setattr(report, "IMAGES", tmp_path / "images")
        all_results = report.load_results() | {benchmark.name: results}
        report.draw_charts(all_results)
        assert report.markdown_table(rows) in report.render_page(all_results)
        assert scale.render_page(all_results, None, report.markdown_table)
    if benchmark.name == "cluster":
        page = scale.render_page(report.load_results(), results, report.markdown_table)
        assert report.markdown_table(rows) in page


def test_the_web_service_beside_what_it_replaces(tmp_path):
    printed = run("serving", PRINTING["serving"].split(), tmp_path)
    contenders = (getattr(serving_contenders, name) for name in ("WEB", "REPLACED", "MLFLOW", "ECHO", "BARE"))
    for contender in contenders:
        assert sum(line.strip().startswith(f"{contender} ") for line in printed.splitlines()) == 3
    assert sum(line.startswith(("yes", "NO")) for line in printed.splitlines()) == 4
