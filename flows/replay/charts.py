"""The charts of a replay's page: drawn once, in the colours that the page has by day and by night."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from flows.replay.results import NAMES, Replayed, is_trusted
from tasks.replay.figures import Figure, Quality

# Stand-ins that Matplotlib can draw with; the page has a variable of CSS for each.
INK, GRID = "#010203", "#010204"
COLOURS = {"called": "#010205", "never": "#010206", "always": "#010207"}
VARIABLES = {INK: "--ink", GRID: "--grid", **{colour: f"--{rule}" for rule, colour in COLOURS.items()}}
MOST_LABELS = 12
CALIBRATION = "Calibration: mean probability less success rate"


def draw_charts(replayed: Replayed) -> dict[str, str]:
    """SVG by title."""
    return {
        "ROC-AUC": _draw(replayed, lambda quality: quality.roc_auc, lambda quality: quality.estimated_roc_auc),
        "Log loss": _draw(replayed, lambda quality: quality.log_loss, lambda quality: quality.estimated_log_loss),
        CALIBRATION: _draw(replayed, lambda quality: quality.calibration, zero=True),
        "Success rate": _draw_success_rate(replayed),
    }


def _draw(
    replayed: Replayed,
    measure: Callable[[Quality], Figure],
    estimate: Callable[[Quality], Figure] | None = None,
    zero: bool = False,
) -> str:
    """A line a course with its 95 % intervals, side by side; the estimate of the first course dashed."""
    figure, axes = _axes(replayed)
    places = np.arange(len(replayed.spans))
    if zero:
        axes.axhline(0, color=INK, linewidth=0.8)
    for number, course in enumerate(replayed.distinct):
        figures = [measure(quality) for quality in course.quality]
        at = places + 0.16 * (number - (len(replayed.distinct) - 1) / 2)
        value, low, high = (np.array([getattr(each, name) for each in figures]) for name in ("value", "low", "high"))
        axes.errorbar(
            at, value, [value - low, high - value], color=COLOURS[course.rule], marker="o", markersize=4,
            linewidth=1.6, elinewidth=1, label=NAMES[course.rule],
        )  # fmt: skip
    if estimate:
        trusted = [is_trusted(unseen) for unseen in replayed.unseen]
        value = np.array([estimate(quality).value for quality in replayed.courses[0].quality])
        axes.plot(places, np.where(trusted, value, np.nan), color=INK, linestyle="--", linewidth=1.2, label="estimated")
    columns = 3 if len(replayed.distinct) < 3 else 2
    figure.legend(frameon=False, loc="outside lower center", ncols=columns, labelcolor=INK, fontsize=9)
    return _svg(figure)


def _draw_success_rate(replayed: Replayed) -> str:
    figure, axes = _axes(replayed)
    rate = [quality.success_rate for quality in replayed.courses[0].quality]
    axes.plot(np.arange(len(rate)), rate, color=INK, marker="o", markersize=4, linewidth=1.6)
    return _svg(figure)


def _axes(replayed: Replayed) -> tuple[Any, Any]:
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(6.4, 3.4), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.tick_params(colors=INK, labelsize=9)
    step = -(-len(replayed.spans) // MOST_LABELS)
    labelled = range(0, len(replayed.spans), step)
    axes.set_xticks([*labelled], [str(replayed.spans[at].periods[0]) for at in labelled], rotation=30, ha="right")
    axes.set_xlim(-0.5, len(replayed.spans) - 0.5)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "replay"}):
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', "", svg, count=1)
