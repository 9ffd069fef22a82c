import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.training.explore import quality
from tests.published import FEATURES, NAMES

ROWS = 240


@pytest.fixture
def campaigns(draw_campaigns) -> pd.DataFrame:
    return draw_campaigns(ROWS, seed=3)


def test_quality_counts_missing_values_and_outliers(campaigns: pd.DataFrame) -> None:
    updates = pd.Series([np.nan] * 60 + [1.0, 2.0, 3.0] * 59 + [6.0, 7.0, -3.0])
    country = campaigns["Country"].mask(campaigns.index < 24)
    table: Any = quality(campaigns.assign(NumUpdates=updates, Country=country), FEATURES).set_index("feature")
    assert list(table.index) == list(NAMES)
    assert table.loc["NumUpdates"].to_dict() == {
        "missing": 60, "missing_share": 0.25, "min": -3, "median": 2, "max": 7,
        "outliers": 2, "outlier_share": 2 / 180, "distinct": 6,
    }  # fmt: skip
    assert table.loc["Country", ["missing", "missing_share", "distinct"]].to_list() == [24, 0.1, 5]
    assert pd.isna(table.loc["Country", "outliers"])


def test_quality_survives_an_empty_frame(campaigns: pd.DataFrame) -> None:
    assert quality(campaigns.head(0), FEATURES)["missing"].sum() == 0


@pytest.mark.outer
def test_importing_the_file_leaves_the_drawing_libraries_alone() -> None:
    code = "import sys, tasks.training.explore; sys.exit(bool({'matplotlib', 'seaborn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
