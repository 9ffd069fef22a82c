import warnings
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from campaign.schema import LABEL
from tasks.training.exploration_plots import COLOURS, correlations, figures, success_rates, violins, wilson
from tests.published import BY_NAME, CATEGORIES, FEATURES, LAUNCH, NUMBERS

ROWS = 240


@pytest.fixture
def campaigns(draw_campaigns) -> pd.DataFrame:
    return draw_campaigns(ROWS, seed=3)


def ticks_of(panel: Any) -> list[str]:
    """The category names beside a panel, without their counts."""
    return [label.get_text().rsplit("  (", 1)[0] for label in panel.get_yticklabels()]


def test_violins_show_every_number_with_its_meaning_and_unit(campaigns: pd.DataFrame) -> None:
    panels = violins(campaigns, FEATURES).axes
    assert [panel.get_title(loc="left") for panel in panels] == [BY_NAME[name].meaning.capitalize() for name in NUMBERS]
    assert [panel.get_ylabel() for panel in panels] == [f"{name}, {BY_NAME[name].unit}" for name in NUMBERS]


def test_violins_put_failed_left_and_succeeded_right_in_the_colours_of_the_legend(campaigns: pd.DataFrame) -> None:
    figure: Any = violins(campaigns.assign(GoalAmount=campaigns[LABEL] * 1_000 + campaigns["DurationDays"]), FEATURES)
    failed, succeeded = figure.axes[0].collections
    assert failed.get_paths()[0].get_extents().y1 < 1_000 < succeeded.get_paths()[0].get_extents().y0
    assert same_color(failed.get_facecolor()[0], COLOURS["Failed"])
    assert same_color(succeeded.get_facecolor()[0], COLOURS["Succeeded"])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Failed", "Succeeded"]


def test_violins_say_so_where_there_is_nothing_to_compare(campaigns: pd.DataFrame) -> None:
    panels = violins(campaigns.assign(GoalAmount=5_000, NumUpdates=np.nan), FEATURES).axes
    assert [[text.get_text() for text in panels[place].texts] for place in (0, -1)] == [["always 5,000"], ["no values"]]


def test_violins_of_many_campaigns_say_that_they_are_a_sample(campaigns: pd.DataFrame) -> None:
    many = pd.concat([campaigns[["DurationDays", LABEL]]] * 100, ignore_index=True)
    assert "A random 20,000 of 24,000 campaigns" in violins(many, FEATURES).get_supxlabel()
    assert "All 240 campaigns" in violins(campaigns, FEATURES).get_supxlabel()


def test_correlations_end_with_success_and_write_each_pair_once(campaigns: pd.DataFrame) -> None:
    goal = campaigns["GoalAmount"].where(campaigns.index > 0, np.inf)
    axes = correlations(campaigns.assign(GoalAmount=goal, NumUpdates=-goal), FEATURES).axes[0]
    assert axes.get_yticklabels()[-1].get_text() == "Success"
    words = [text.get_text() for text in axes.texts]
    assert len(words) == len(NUMBERS) * (len(NUMBERS) + 1) // 2
    assert "−1.00" in words
    assert axes.collections[0].get_clim() == (-1, 1)


def test_success_rates_have_a_panel_per_category_and_months_in_calendar_order(campaigns: pd.DataFrame) -> None:
    panels = success_rates(campaigns, FEATURES).axes
    assert len(panels) == len(CATEGORIES)
    assert ticks_of(panels[CATEGORIES.index("LaunchMonth")]) == list(BY_NAME["LaunchMonth"].categories)


def test_a_success_rate_stands_where_it_was_counted_beside_the_rate_of_all(campaigns: pd.DataFrame) -> None:
    campaigns = campaigns.assign(VideoIncluded=np.where(campaigns[LABEL] == 1, "Yes", "No"))
    panel: Any = success_rates(campaigns, FEATURES).axes[CATEGORIES.index("VideoIncluded")]
    overall, rates = panel.lines
    assert list(rates.get_xdata()) == [0, 1]
    assert list(overall.get_xdata()) == [campaigns[LABEL].mean()] * 2


def test_many_categories_are_cut_to_the_most_frequent_and_say_so(campaigns: pd.DataFrame) -> None:
    rare = [f"kind {row % 39}" for row in range(ROWS)]
    panel = success_rates(campaigns.assign(Category=np.where(campaigns.index < 60, "Film", rare)), FEATURES).axes[0]
    assert "the 15 most frequent of 40" in panel.get_title(loc="left")
    assert len(ticks_of(panel)) == 15
    assert ticks_of(panel)[0] == "Film"


def test_wilson_intervals_are_those_of_the_textbook() -> None:
    low, high = wilson(np.array([0.0, 1.0, 50.0]), np.array([1.0, 1.0, 100.0]))
    assert low == pytest.approx([0, 0.2065, 0.4038], abs=1e-4)
    assert high == pytest.approx([0.7935, 1, 0.5962], abs=1e-4)


DAMAGES = {
    "a constant": {"NumUpdates": 3, "Country": "UK"},
    "nothing but missing values": {"NumUpdates": np.nan, "GoalAmount": None, "Country": None},
    "a category of one campaign": {"Category": ["Opera", *["Film"] * (ROWS - 1)]},
    "infinite values": {"GoalAmount": [np.inf, -np.inf, *range(ROWS - 2)]},
    "one outcome": {LABEL: 1},
    "labels that are not known yet": {LABEL: [np.nan, True, False] * (ROWS // 3)},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_odd_columns_are_drawn_without_a_warning(campaigns: pd.DataFrame, damage: dict[str, Any]) -> None:
    damaged = campaigns[["GoalAmount", "NumUpdates", "Category", "Country", LABEL]].assign(**damage)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in figures(damaged, FEATURES).values():
            figure.savefig(BytesIO())


def test_the_launch_features_are_drawn_alone(campaigns: pd.DataFrame) -> None:
    names = [column.name for column in LAUNCH.features]
    pictures = figures(campaigns[[*names, LABEL]], FEATURES)
    assert list(pictures) == ["violins", "correlations", "success_rates"]
    assert len(pictures["violins"].axes) == 4


def test_no_label_of_a_picture_lies_over_another(campaigns: pd.DataFrame) -> None:
    for figure in figures(campaigns, FEATURES).values():
        figure.draw_without_rendering()
        for panel in figure.axes:
            labels = [label for label in panel.get_yticklabels() if label.get_text()]
            boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
            assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


@pytest.mark.parametrize(("numbers", "down"), [(1, 1), (5, 2)])
def test_violins_have_room_in_however_many_rows(campaigns: pd.DataFrame, numbers: int, down: int) -> None:
    figure: Any = violins(campaigns[[*NUMBERS[:numbers], LABEL]], FEATURES)
    figure.draw_without_rendering()
    sizes = [panel.get_window_extent().size / figure.dpi for panel in figure.axes]
    assert len({round(panel.get_position().y0, 2) for panel in figure.axes}) == down
    assert min(height for _, height in sizes) > 2
    assert min(width for width, _ in sizes) > 1.5
