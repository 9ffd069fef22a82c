import numpy as np
import pandas as pd
import pytest

from campaign.schema import LABEL
from tests.published import FEATURES, SCHEMA


@pytest.fixture
def draw_campaigns():
    """Campaigns of every column within the published ranges, that succeed when they raise their goal."""

    def draw(rows: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        columns = {
            column.name: rng.choice(column.categories, rows)
            if column.is_category
            else rng.integers(column.low, column.high + 1, rows)
            for column in FEATURES
        }
        frame = pd.DataFrame(columns)
        return frame.assign(**{LABEL: (frame["RaisedAmount"] >= frame["GoalAmount"]).astype(int)})

    return draw


@pytest.fixture
def card_facts():
    """What a training knows at its end, of made-up figures."""
    from tasks.training.choose import Candidate, Choice
    from tasks.training.evaluate import Scores
    from tasks.training.explore import Explored
    from tasks.training.fit import Fitted
    from tasks.training.grow import Size
    from tasks.training.search_space import first_guesses, recipe_of
    from tasks.training.validate import Dataset

    def given(
        waiting: int = 0, available: int = 80, made_up: bool = False, bad_in_days: int = 0
    ) -> tuple[Fitted, Scores, Dataset, Explored]:
        candidate = Candidate(3, recipe_of(first_guesses(False)[0], 8), Size(8, 0.9, 0.3, 40.0))
        choice = Choice(candidate, candidate, 0.0, 0.0, "the best", 60, 20, False)
        fitted = Fitted("folder", "pipeline", 80, available, choice, 0.25)
        scores = Scores({"roc_auc": 0.9}, {"roc_auc": (0.85, 0.95)}, {"GoalAmount": 0.3}, 20, "reference.parquet")
        data = Dataset(
            "d1",
            "path",
            "base.csv",
            SCHEMA,
            100,
            2,
            waiting,
            "path",
            {"2026-11-20": 5},
            made_up=made_up,
            bad_in_days=bad_in_days,
        )
        findings = ["`RaisedAmount` against `GoalAmount` decides."]
        return fitted, scores, data, Explored(findings, "A summary.", [("RaisedAmount", "GoalAmount")])

    return given
