"""The pages say what the benchmarks left, and nothing else."""

import json

import pytest

from benchmarks import report, scale, search
from benchmarks.measure import RESULTS, ROOT


@pytest.fixture
def found() -> dict:
    return report.results()


def test_the_page_is_that_of_the_results(found):
    assert (ROOT / "docs" / "performance.md").read_text() == report.page(found)


def test_the_page_about_scale_is_that_of_the_results(found):
    cluster = json.loads((RESULTS / "cluster.json").read_text())
    assert (ROOT / "docs" / "scale.md").read_text() == scale.page(found, cluster, report.markdown)


def test_a_target_that_is_missed_says_so(found):
    found["search"]["targets"][0]["met"] = False
    assert "**no**" in report.page(found)


def test_a_sample_is_spread_from_cheap_to_costly():
    sample = search.spread_sample(search.GRID_OF_400, 8)
    costs = [one["n_estimators"] * one["max_depth"] for one in sample]
    assert costs == sorted(costs)
    assert len({json.dumps(one) for one in sample}) == 8
    assert costs[0] < 200
    assert costs[-1] > 1_500


def test_twice_the_rows_take_twice_the_pieces(found):
    one, other = (scale.row(rows, scale.costs(found)) for rows in (10**9, 2 * 10**9))
    assert one["Prefect task runs"] == other["Prefect task runs"] == "401"
    assert one["pieces, core seconds"] != other["pieces, core seconds"]
