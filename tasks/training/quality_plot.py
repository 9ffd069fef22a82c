"""What is missing of each column, and what lies far from the rest of it, as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ORANGE, BLUE, INK = "#E69F00", "#0072B2", "#333333"


def missing_and_outliers(quality: pd.DataFrame) -> Figure:
    """Two bars a feature, of `explore.quality`: the share of rows without a value, and of values that are outliers."""
    from matplotlib.figure import Figure

    rows = np.arange(len(quality))
    figure = Figure(figsize=(8.5, 0.34 * len(quality) + 1.9), dpi=110, layout="constrained")
    shares = {
        "Missing": ("missing_share", ORANGE),
        "Outliers (beyond 1.5 interquartile ranges)": ("outlier_share", BLUE),
    }
    panels = figure.subplots(1, len(shares), sharey=True)
    for axes, (title, (name, colour)) in zip(panels, shares.items(), strict=True):
        values = 100 * quality[name].astype("float64").to_numpy()
        axes.barh(rows, np.nan_to_num(values), color=colour, height=0.7)
        for row, value in zip(rows, values, strict=True):
            words = "–" if np.isnan(value) else "none" if value == 0 else f"{value:.1f} %" if value >= 0.1 else "<0.1 %"
            axes.text(np.nan_to_num(value), row, f" {words}", va="center", fontsize=8, color=INK)
        axes.set_title(title, fontsize=9.5, loc="left", color=INK)
        axes.set_xlim(0, max(5.0, 1.2 * np.nanmax(values, initial=0.0)))
        axes.xaxis.set_major_formatter("{x:.0f} %")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.25)
    panels[0].set_yticks(rows, quality["feature"], fontsize=9)
    panels[0].invert_yaxis()
    figure.suptitle("What is missing, and what lies far from the rest", x=0.01, ha="left", fontweight="bold", color=INK)
    return figure
