"""Rows of made-up campaigns, as a search and a fit take them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.encoding import Encoder
from campaign.schema import Schema
from campaign.schema_file import schema_of
from tasks.training.examples import Examples
from tasks.training.prepare_rows import Rows
from tasks.training.search_space import Recipe

FOREST = Recipe(
    n_estimators=8, min_samples_leaf=20, max_features=0.5, max_samples=1.0, linear=False, half_life=None
)  # fmt: skip
BOTH = Recipe(**{**FOREST, "linear": True})  # type: ignore[typeddict-item]


def schema_with(*columns: dict[str, Any]) -> Schema:
    """A schema of these columns, all known at launch."""
    outcome = {"column": "y", "success": ["1"], "failure": ["0"]}
    known = [{"known": "at launch"} | column for column in columns]
    return schema_of({"model": {"name": "made-up"}, "outcome": outcome, "column": known}, "made-up")


def numbers(count: int) -> Schema:
    return schema_with(*({"name": f"x{at}", "type": "number"} for at in range(count)))


def rows_of(X: NDArray[np.float32], y: NDArray[np.int8], times: NDArray[np.float64] | None = None) -> Rows:
    """Of numbers alone."""
    return Rows(Encoder(numbers(X.shape[1]).features, {}), X, y, times)


def examples_from(X: NDArray[np.float32], y: NDArray[np.int8], fitted: int) -> Examples:
    """The first rows to fit on, the others to judge on."""
    rows = rows_of(X, y)
    return Examples(
        numbers(X.shape[1]), rows.take(np.arange(fitted)), rows.take(np.arange(fitted, len(y))), by_time=False
    )


def launched_daily(rows: int) -> NDArray[np.float64]:
    """A row a day, each decided on the day of its launch."""
    days = 1.7e9 + 86_400.0 * np.arange(rows)
    return np.column_stack([days, days])


def moving(rate_at: list[float], rows: int = 3_000) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Rows whose rate of successes goes through these rates, whatever else they say."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=rows)
    base = np.interp(np.linspace(0, 1, rows), np.linspace(0, 1, len(rate_at)), rate_at)
    odds = base / (1 - base) * np.exp(x)
    return x[:, None].astype(np.float32), (rng.random(rows) < odds / (1 + odds)).astype(np.int8)
