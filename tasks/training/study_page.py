"""A search in one page that needs nothing from elsewhere: which trial was how good, and what that hung on."""

from collections.abc import Callable
from typing import Any

import optuna
from optuna.trial import TrialState

LOSS = "validation log loss"
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The search</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:70rem;padding:0 1rem}</style>
<h1>The search</h1>"""


def study_page(study: optuna.Study) -> str | None:
    """HTML of the finished trials; None where there are fewer than two."""
    from optuna import visualization

    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 2:
        return None
    plots: dict[str, tuple[str, Callable[[], Any]]] = {
        "How good each trial is": (
            f"Lower is better: {LOSS}. The line is the best so far.",
            lambda: counted_from_one(visualization.plot_optimization_history(study, target_name=LOSS)),
        ),
        "Which parameters go together": (
            f"A line is a trial, coloured by its {LOSS}.",
            lambda: visualization.plot_parallel_coordinate(study, target_name=LOSS),
        ),
        "What it hangs on": (
            f"How much of the differences in {LOSS} each parameter explains.",
            lambda: visualization.plot_param_importances(study, target_name=LOSS),
        ),
    }
    parts, library = [HEAD], True
    for title, (explanation, plot) in plots.items():
        try:
            figure = plot()
        except (RuntimeError, ValueError):  # importances need trials that differ
            continue
        figure.update_layout(title=None, margin={"t": 30})
        # The library, once: MLflow's viewer finds no file beside the page, and there may be no internet.
        html = figure.to_html(full_html=False, include_plotlyjs=library)
        parts += [f"<h2>{title}</h2><p>{explanation}</p>", html]
        library = False
    return "\n".join([*parts, "</html>"])


def counted_from_one(history: Any) -> Any:
    """Trials as logs and MLflow have them."""
    for trace in history.data:
        trace.x = [number + 1 for number in trace.x]
    return history
