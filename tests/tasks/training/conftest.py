import numpy as np
import pandas as pd
import pytest

from campaign.schema import FEATURES, LABEL


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
