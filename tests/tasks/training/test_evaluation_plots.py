import numpy as np
import pytest

from tasks.training.evaluation_plots import confusion, figures

LABEL = np.array([0, 0, 0, 1, 1, 1, 0, 1])
PROBABILITY = np.array([0.1, 0.2, 0.6, 0.3, 0.7, 0.9, 0.4, 0.8])


def test_every_figure_of_a_test_result_is_drawn_and_labelled():
    drawn = figures(LABEL, PROBABILITY, {"GoalAmount": 0.2, "Country": 0.0}, 0.5)
    assert [*drawn] == [
        "roc",
        "precision_recall",
        "cumulative_gains",
        "calibration",
        "confusion",
        "permutation_importance",
    ]
    for figure in drawn.values():
        [axes, *_] = figure.axes
        assert axes.get_title()
        assert axes.get_xlabel()
    legend = drawn["roc"].axes[0].get_legend().get_texts()[0].get_text()
    assert legend == "model, ROC-AUC 0.8750"
    assert [tick.get_text() for tick in drawn["permutation_importance"].axes[0].get_yticklabels()] == [
        "Country",
        "GoalAmount",
    ]


@pytest.mark.parametrize(("threshold", "counts"), [(0.5, ["3", "1", "1", "3"]), (0.35, ["2", "2", "1", "3"])])
def test_the_confusion_is_that_of_the_models_own_threshold(threshold, counts):
    axes = confusion(LABEL, PROBABILITY, threshold).axes[0]
    assert [text.get_text() for text in axes.texts] == counts
