import pandas as pd
import pytest

from campaign.schema_file import published
from tasks.training.explore import quality
from tasks.training.quality_plot import missing_and_outliers


def test_each_feature_says_what_is_missing_and_what_lies_far_from_the_rest():
    features = [column for column in published().columns if column.name in ("GoalAmount", "Category", "NumUpdates")]
    rows = 200
    campaigns = pd.DataFrame({
        "GoalAmount": [float(value) for value in range(rows - 2)] + [1e6, 1e6],
        "NumUpdates": [None] * 50 + [3.0] * (rows - 50),
        "Category": ["Art"] * rows,
    })  # fmt: skip
    missing, outliers = missing_and_outliers(quality(campaigns, features)).axes
    names = [label.get_text() for label in missing.get_yticklabels()]
    said = {axes: dict(zip(names, (text.get_text().strip() for text in axes.texts), strict=True))
            for axes in (missing, outliers)}  # fmt: skip
    assert said[missing] == {"GoalAmount": "none", "Category": "none", "NumUpdates": "25.0 %"}
    assert said[outliers] == {"GoalAmount": "1.0 %", "Category": "–", "NumUpdates": "none"}


def test_a_column_without_any_value_and_a_table_without_columns_are_drawn():
    features = [column for column in published().columns if column.name == "GoalAmount"]
    missing, _ = missing_and_outliers(quality(pd.DataFrame({"GoalAmount": [None, None]}), features)).axes
    assert missing.texts[0].get_text().strip() == "100.0 %"
    missing_and_outliers(quality(pd.DataFrame(), []))


@pytest.mark.parametrize(("missing_rows", "end"), [(0, 5.0), (6, 5.0), (100, 60.0), (200, 120.0)])
def test_bars_begin_at_zero_and_end_within_the_picture_and_small_shares_look_small(missing_rows, end):
    values = [None] * missing_rows + [1.0] * (200 - missing_rows)
    features = [column for column in published().columns if column.name == "GoalAmount"]
    missing, _ = missing_and_outliers(quality(pd.DataFrame({"GoalAmount": values}), features)).axes
    assert missing.get_xlim() == pytest.approx((0, end))
    [bar] = missing.patches
    assert (bar.get_x(), bar.get_width()) == (0, missing_rows / 2)
