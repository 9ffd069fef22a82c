"""The pages say what is in the benchmarks' results, and nothing else."""

import json

import pytest

from benchmarks import real_page, report, scale, search
from benchmarks.measure import RESULTS, ROOT


@pytest.fixture
def results() -> dict:
    return report.load_results()


def test_the_page_is_that_of_the_results(results):
    assert (ROOT / "docs" / "performance.md").read_text() == report.render_page(results, real_page.load_results())


def test_the_page_about_scale_is_that_of_the_results(results):
    cluster = json.loads((RESULTS / "cluster.json").read_text())
    assert (ROOT / "docs" / "scale.md").read_text() == scale.render_page(results, cluster, report.markdown_table)


def test_a_target_that_is_missed_says_so(results):
    results["search"]["targets"][0]["met"] = False
    assert "**no**" in report.render_page(results)


def test_a_sample_is_spread_from_cheap_to_costly():
    sample = search.spread_sample(search.GRID_OF_400, 8)
    costs = [configuration["n_estimators"] * configuration["max_depth"] for configuration in sample]
    assert costs == sorted(costs)
    assert len({json.dumps(configuration) for configuration in sample}) == 8
    assert costs[0] < 200
    assert costs[-1] > 1_500


def test_twice_the_rows_take_twice_the_pieces(results):
    billion, two_billion = (scale.table_row(rows, scale.costs_per_row(results)) for rows in (10**9, 2 * 10**9))
    assert billion["Prefect task runs"] == two_billion["Prefect task runs"] == "401"
    assert billion["pieces, core seconds"] != two_billion["pieces, core seconds"]
