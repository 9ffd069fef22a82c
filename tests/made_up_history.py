"""Made-up projects for the tests of replays: the goal tells who succeeds, and from some day on the kind as well."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

TOML = """
[model]
name = "projects"
title = "Projects"
[row]
id = "ID"
launch = "launched"
end = "deadline"
[outcome]
column = "state"
success = ["successful"]
failure = ["failed"]
noun = "project"
[[column]]
name = "Kind"
source = "kind"
type = "category"
known = "at launch"
[[column]]
name = "Goal"
source = "goal"
type = "number"
known = "at launch"
minimum = 0
[[column]]
name = "Days"
type = "number"
known = "at launch"
derive = { days_between = ["launched", "deadline"] }
[[column]]
name = "Pledged"
source = "pledged"
type = "number"
known = "at the end"
"""
FIRST = date(2024, 1, 1)


def make_projects(days: int = 240, daily: int = 20, turned_from: date | None = None, seed: int = 1) -> pd.DataFrame:
    """As a file has them: so many a day, none in the order of time, each decided 10 to 40 days after its launch."""
    rng = np.random.default_rng(seed)
    rows = days * daily
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    launched = [start + timedelta(days=row // daily, minutes=int(rng.integers(1440))) for row in range(rows)]
    goal = rng.lognormal(8, 1, rows)
    kind = rng.choice(["book", "film", "game"], rows)
    turned = np.array([turned_from is not None and moment.date() >= turned_from for moment in launched])
    odds = -1.5 * (np.log(goal) - 8) + turned * np.select([kind == "book", kind == "film"], [3.0, -4.0], -1.0)
    successful = rng.random(rows) < 1 / (1 + np.exp(-odds))
    length = rng.integers(10, 41, rows)
    ended = [moment + timedelta(days=int(days)) for moment, days in zip(launched, length, strict=True)]
    projects = pd.DataFrame({
        "ID": [f"P{number:06d}" for number in range(rows)], "kind": kind,
        "goal": np.round(goal, 2), "launched": [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in launched],
        "deadline": [f"{moment:%Y-%m-%d}" for moment in ended],
        "pledged": np.round(goal * np.where(successful, 1.2, 0.3), 2),
        "state": np.where(successful, "successful", "failed"),
    })  # fmt: skip
    return projects.iloc[rng.permutation(rows)].reset_index(drop=True)


def write_projects(folder: Path, projects: pd.DataFrame) -> tuple[Path, Path]:
    """The file and its schema."""
    data, schema = folder / "projects.csv", folder / "projects.toml"
    projects.to_csv(data, index=False)
    schema.write_text(TOML)
    return data, schema
