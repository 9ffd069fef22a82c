"""No benchmark is left out of `make bench-smoke`."""

from benchmarks.measure import ROOT
from tests.benchmarks.every_benchmark import NAMES

# All of them one after the other; the pages; and what the serving benchmark itself runs.
NO_BENCHMARKS = {"__main__", "report", "serving_load"}


def test_every_module_that_can_be_run_is_run_at_a_tiny_size():
    modules = (ROOT / "benchmarks").glob("*.py")
    runnable = {module.stem for module in modules if '\nif __name__ == "__main__":' in module.read_text()}
    assert runnable == NAMES | NO_BENCHMARKS
