import pandas as pd

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
