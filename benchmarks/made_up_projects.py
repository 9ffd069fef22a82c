"""Made-up projects in the shape of Kaggle's *Kickstarter projects*: the same file for the same number of rows.

Launched over eight years in which the share that succeeds falls and rises again, and categories come in and out of
favour. Who succeeds follows category, goal, country, duration, time and name, and then luck.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROWS, SEED = 378_000, 1
INTERCEPT = -0.65  # so that .36 of them succeed
SINCE, YEARS, DAYS_A_YEAR = pd.Timestamp("2010-01-01"), 8, 365.25
MAIN_CATEGORIES = {
    # categories within it, log-odds of success, log of the usual goal in USD
    "Art": (13, 0.2, 7.9), "Comics": (6, 0.7, 8.2), "Crafts": (13, -0.7, 7.6), "Dance": (4, 1.0, 8.0),
    "Design": (7, 0.0, 9.3), "Fashion": (9, -0.6, 8.7), "Film & Video": (20, 0.1, 8.9), "Food": (13, -0.6, 9.2),
    "Games": (8, 0.0, 9.0), "Journalism": (6, -0.9, 8.5), "Music": (18, 0.5, 8.3), "Photography": (7, -0.3, 8.0),
    "Publishing": (16, -0.3, 8.3), "Technology": (16, -0.9, 9.8), "Theater": (8, 1.0, 8.2),
}  # fmt: skip
COUNTRIES = {
    # share of projects, log-odds, currency, its units in a dollar
    "US": (0.78, 0.1, "USD", 1.0), "GB": (0.09, 0.0, "GBP", 0.65), "CA": (0.04, -0.2, "CAD", 1.2),
    "AU": (0.02, -0.5, "AUD", 1.2), "DE": (0.012, -0.5, "EUR", 0.85), "FR": (0.010, -0.3, "EUR", 0.85),
    "IT": (0.008, -1.2, "EUR", 0.85), "NL": (0.008, -0.8, "EUR", 0.85), "ES": (0.007, -0.7, "EUR", 0.85),
    "SE": (0.006, -0.4, "SEK", 8.0), "MX": (0.005, -0.9, "MXN", 17.0), "NZ": (0.005, -0.3, "NZD", 1.4),
    "DK": (0.003, -0.2, "DKK", 6.5), "HK": (0.003, 0.3, "HKD", 7.8), "CH": (0.003, -0.6, "CHF", 1.0),
}  # fmt: skip
WORDS = [
    "the", "a", "of", "for", "new", "big", "lost", "last", "art", "album", "book", "film", "game", "story", "world",
    "city", "house", "night", "light", "dream", "music", "project", "adventures", "photography", "documentary",
    "handmade", "wireless", "smart", "journey", "collection", "return", "kitchen",
]  # fmt: skip
SCHEMA = """
[model]
name = "made-up-projects"
title = "Made-up projects"
[row]
id = "ID"
launch = "launched"
end = "deadline"
[outcome]
column = "state"
success = ["successful"]
failure = ["failed"]
noun = "project"
"""
COLUMNS = {
    "category": 'type = "category"', "main_category": 'type = "category"', "currency": 'type = "category"',
    "country": 'type = "category"', "usd_goal_real": 'type = "number"\nminimum = 0',
    "DurationDays": 'type = "number"\nminimum = 0\nderive = { days_between = ["launched", "deadline"] }',
    "LaunchMonth": 'type = "number"\nderive = { month = "launched" }',
    "LaunchWeekday": 'type = "number"\nderive = { weekday = "launched" }',
    "LaunchHour": 'type = "number"\nderive = { hour = "launched" }',
    "NameLength": 'type = "number"\nderive = { length = "name" }',
    "NameWords": 'type = "number"\nderive = { words = "name" }',
}  # fmt: skip


def schema_text() -> str:
    """The TOML that says what these rows are."""
    columns = (f'[[column]]\nname = "{name}"\nknown = "at launch"\n{keys}\n' for name, keys in COLUMNS.items())
    return SCHEMA + "".join(columns)


def make_projects(rows: int = ROWS) -> pd.DataFrame:
    """So many projects, as a file has them: not in the order of time."""
    rng = np.random.default_rng(SEED)
    years = np.sort(rng.beta(2.2, 1.6, rows)) * YEARS
    launched = SINCE + pd.to_timedelta((years * DAYS_A_YEAR * 86_400).astype(np.int64), "s")
    country_names = np.array([*COUNTRIES])
    shares, country_odds, currencies, units = (np.array(values) for values in zip(*COUNTRIES.values(), strict=True))
    country = rng.choice(len(country_names), rows, p=shares / shares.sum())
    categories = _make_categories(np.random.default_rng([SEED, 1]))  # the same for any number of rows
    category = rng.choice(len(categories), rows, p=categories["share"])
    of_category = categories.iloc[category].reset_index(drop=True)
    log_goal = np.clip(rng.normal(of_category["usual_goal"], 1.5), 0, 18)
    days = np.where(rng.random(rows) < 0.55, 30, rng.integers(1, 61, rows))
    titles = _make_names(rows, rng)
    length = np.array([len(title) for title in titles])
    odds = of_category["odds"] + of_category["trend"] * (years - YEARS / 2) + country_odds[country]
    odds += INTERCEPT + 0.5 * np.cos((years - 1) * 2 * np.pi / YEARS)
    odds += -0.5 * (log_goal - 8.5) - 0.08 * np.maximum(log_goal - 9.5, 0) ** 2 - 0.018 * (days - 30)
    odds += 0.015 * np.minimum(length - 35, 20) + 0.2 * (launched.weekday < 5)
    odds += 0.2 * np.cos((launched.hour - 16) * np.pi / 12)
    successful = rng.random(rows) < 1 / (1 + np.exp(-odds))
    usd_goal = np.round(np.exp(log_goal), 2)
    projects = pd.DataFrame({
        "ID": rng.choice(2**31, rows, replace=False), "name": titles, "category": of_category["name"],
        "main_category": of_category["main"], "currency": currencies[country],
        "deadline": (launched + pd.to_timedelta(days, "D")).normalize(),
        "goal": np.round(usd_goal * units[country].astype(float), 2), "launched": launched,
        "state": np.where(successful, "successful", "failed"), "country": country_names[country],
        "usd_goal_real": usd_goal,
    })  # fmt: skip
    return projects.iloc[rng.permutation(rows)].reset_index(drop=True)


def _make_categories(rng: np.random.Generator) -> pd.DataFrame:
    """Each category: its main one, share of projects, log-odds of success, what a year adds to them, usual goal."""
    rows = [
        (f"{main} {number}" if number else main, main, odds, goal)
        for main, (count, odds, goal) in MAIN_CATEGORIES.items()
        for number in range(count)
    ]
    categories = pd.DataFrame(rows, columns=["name", "main", "odds", "usual_goal"])
    count, share = len(categories), rng.lognormal(0, 1.1, len(categories))
    categories["share"] = share / share.sum()
    categories["odds"] += rng.normal(0, 0.6, count)
    categories["trend"] = rng.normal(0, 0.12, count)
    categories["usual_goal"] += rng.normal(0, 0.4, count)
    return categories


def _make_names(rows: int, rng: np.random.Generator) -> list[str]:
    counts = np.clip(rng.poisson(5.2, rows), 1, 14)
    words = np.array(WORDS)[rng.integers(len(WORDS), size=counts.sum())].tolist()
    ends = np.cumsum(counts).tolist()
    return [" ".join(words[end - count : end]).title() for count, end in zip(counts.tolist(), ends, strict=True)]


def write_projects(folder: Path, rows: int = ROWS) -> tuple[Path, Path]:
    """The file and its schema, written unless they are there."""
    data, schema = folder / f"made-up-projects-{rows}.parquet", folder / "made-up-projects.toml"
    if not data.exists():
        make_projects(rows).to_parquet(data)
    schema.write_text(schema_text())
    return data, schema
