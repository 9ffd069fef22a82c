"""What campaigns look like, and what sets those that succeeded apart: violins, correlations, success rates."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from campaign.schema import LABEL, Column

if TYPE_CHECKING:  # pandas, matplotlib and seaborn take a second and more to import, and every flow imports this file
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAMPLE = 20_000
SHOWN = 15
# Two of Okabe and Ito's colours: told apart by colour-blind readers, and in grey.
COLOURS = {"Failed": "#E69F00", "Succeeded": "#0072B2"}
INK, FAINT = "#333333", "#777777"


def figures(campaigns: pd.DataFrame, features: Sequence[Column]) -> dict[str, Figure]:
    """Every picture of the labelled campaigns, under the name that its file is to have."""
    return {picture.__name__: picture(campaigns, features) for picture in (violins, correlations, success_rates)}


def violins(campaigns: pd.DataFrame, features: Sequence[Column], seed: int = 1) -> Figure:
    """How the values of every number are spread, campaigns that failed on the left and that succeeded on the right."""
    import pandas as pd
    import seaborn as sns
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    labelled = campaigns.dropna(subset=[LABEL])
    drawn = labelled.sample(min(SAMPLE, len(labelled)), random_state=seed)
    outcome = np.where(drawn[LABEL].astype(bool), "Succeeded", "Failed")
    numbers = numbers_in(campaigns, features)
    across = min(4, max(1, len(numbers)))
    down = max(1, ceil(len(numbers) / across))
    figure = _figure(max(10.0, 2.9 * across + 0.4), 3.1 * down + 1.0)
    for place, column in enumerate(numbers, start=1):
        axes = figure.add_subplot(down, across, place)
        frame = pd.DataFrame({"value": _finite(drawn[column.name]).to_numpy(), "outcome": outcome}).dropna()
        if frame["value"].nunique() > 1:
            sns.violinplot(
                frame, x=0, y="value", hue="outcome", hue_order=list(COLOURS), palette=COLOURS, saturation=1,
                split=True, gap=0.06, inner="quart", inner_kws={"color": "white", "linewidth": 1.3},
                cut=0, linewidth=0, legend=False, ax=axes,
            )  # fmt: skip
            axes.yaxis.set(major_locator=MaxNLocator(6, steps=[1, 2, 5, 10]), major_formatter=FuncFormatter(_short))
        else:
            only_value = f"always {frame['value'].iloc[0]:,g}" if len(frame) else "no values"
            axes.text(0.5, 0.5, only_value, ha="center", color=FAINT, transform=axes.transAxes)
            axes.set_yticks([])
        _tidy(axes, _title(column), grid="y")
        axes.set(xlabel="", ylabel=", ".join(filter(None, (column.name, column.unit))), xticks=[])
    patches = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    figure.legend(handles=patches, loc="outside upper right", ncols=2, frameon=False, labelcolor=INK)
    sampled = f"A random {len(drawn):,} of {len(labelled):,}" if len(drawn) < len(labelled) else f"All {len(drawn):,}"
    note = "The wider a shape, the more campaigns have that value. Long dashes: median; short dashes: quartiles."
    return _with_title(
        figure, "How campaigns that failed compare with those that succeeded", f"{note} {sampled} campaigns."
    )


def correlations(campaigns: pd.DataFrame, features: Sequence[Column]) -> Figure:
    """Pearson's correlation of every two numbers, the last row that of each with success."""
    import pandas as pd
    import seaborn as sns

    names = [column.name for column in numbers_in(campaigns, features)]
    numbers = pd.DataFrame({name: _finite(campaigns[name]) for name in [*names, LABEL]})
    # Plus zero turns −0.0 into 0.0, so that no cell says "−0.00".
    table = numbers.corr().round(2).iloc[1:, :-1] + 0.0
    words = table.map(lambda value: "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−"))
    figure = _figure(max(8.5, 0.95 * len(names) + 3.2), 0.62 * len(names) + 2.2)
    axes = figure.add_subplot()
    if table.size:
        sns.heatmap(
            table.fillna(0), mask=np.triu(np.ones(table.shape, bool), 1), annot=words, fmt="", vmin=-1, vmax=1,
            cmap="RdBu", linewidths=2, linecolor="white", annot_kws={"fontsize": 9.5},
            cbar_kws={"ticks": [-1, 0, 1], "shrink": 0.8}, ax=axes,
        )  # fmt: skip
        axes.set_yticklabels([*names[1:], "Success"], rotation=0)
        axes.set_xticklabels(names, rotation=35, ha="right", rotation_mode="anchor")
        axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.tick_params(length=0, labelsize=9.5, labelcolor=INK)
    note = "1: they rise together; −1: one falls as the other rises; 0: neither follows the other in a straight line."
    return _with_title(figure, "Which numbers rise and fall together, and with success", f"Pearson correlation. {note}")


def success_rates(campaigns: pd.DataFrame, features: Sequence[Column]) -> Figure:
    """How often campaigns of each category succeed, with 95 % intervals, against the rate of all."""
    from matplotlib.ticker import PercentFormatter

    labelled = campaigns.dropna(subset=[LABEL])
    success = labelled[LABEL].astype(float)
    categories = [column for column in features if column.is_category and column.name in campaigns]
    tables = [success.groupby(labelled[column.name].astype("string")).agg(["sum", "count"]) for column in categories]
    heights = [min(len(table), SHOWN) + 1.3 for table in tables] or [1.0]
    figure = _figure(8.5, 0.27 * sum(heights) + 1.4)
    panels = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, column, table in zip(panels, categories, tables, strict=False):
        shown = _in_order(table, column.categories)
        won, of, rows = shown["sum"].to_numpy(), shown["count"].to_numpy(), np.arange(len(shown))
        axes.axvline(success.mean(), color=FAINT, linewidth=1)
        axes.hlines(rows, *wilson(won, of), color=COLOURS["Succeeded"], linewidth=2.2, alpha=0.45)
        axes.plot(won / of, rows, "o", color=COLOURS["Succeeded"], markersize=5.5)
        labels = [value if len(value) <= 36 else f"{value[:35]}…" for value in shown.index]
        axes.set_yticks(rows, [f"{label}  ({count:,})" for label, count in zip(labels, of, strict=True)])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        _tidy(axes, f"{_title(column)} ({column.name}{_how_many(len(table))})", grid="x")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    # Never closer than ten points: differences of one would fill the picture, and look as if they mattered.
    left, right = panels[0].get_xlim()
    panels[0].set_xlim(min(left, success.mean() - 0.05), max(right, success.mean() + 0.05))
    note = "Upright line: all campaigns. Bars: 95 % intervals; one in twenty misses its true rate by chance."
    title = f"How often campaigns of each kind succeed ({success.mean():.0%} of all do)"
    return _with_title(figure, title, f"{note} In brackets: number of campaigns.")


def wilson(won: NDArray[np.float64], of: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's 95 % interval of a rate: within 0 and 1, and honest for a single campaign, too."""
    z = 1.959964
    rate, weight = won / of, z**2 / of
    centre = (rate + weight / 2) / (1 + weight)
    reach = z * np.sqrt(rate * (1 - rate) / of + weight / (4 * of)) / (1 + weight)
    return centre - reach, centre + reach


def _how_many(categories: int) -> str:
    """What the title of a panel says of how many categories there are."""
    if not categories:
        return ", no values"
    return f", the {SHOWN} most frequent of {categories}" if categories > SHOWN else ""


def _in_order(table: pd.DataFrame, known: Sequence[str]) -> pd.DataFrame:
    """The most frequent categories: the schema's in its order (months in the calendar's), then others by frequency."""
    kept = table.sort_values("count", ascending=False, kind="stable").head(SHOWN).index
    return table.loc[[*(name for name in known if name in kept), *(name for name in kept if name not in known)]]


def numbers_in(campaigns: pd.DataFrame, features: Sequence[Column]) -> list[Column]:
    """The features that are numbers and columns of the campaigns."""
    return [column for column in features if not column.is_category and column.name in campaigns]


def _title(column: Column) -> str:
    return column.meaning.capitalize() or column.name


def _finite(values: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(values, errors="coerce").astype("float64").replace([np.inf, -np.inf], np.nan)


def _figure(width: float, height: float) -> Figure:
    # Never pyplot: its figures are shared by all threads of a process, and stay in memory until closed.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=110, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.1)
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: Axes, title: str, grid: Literal["x", "y"]) -> None:
    axes.set_title(title, fontsize=10.5, color=INK, loc="left")
    axes.spines[:].set_visible(False)
    axes.grid(axis=grid, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    axes.yaxis.label.set(color=FAINT, fontsize=9)


def _with_title(figure: Figure, title: str, note: str) -> Figure:
    figure.suptitle(title, x=0.01, ha="left", fontsize=13.5, fontweight="bold", color=INK)
    figure.supxlabel(fill(note, int(16 * figure.get_figwidth())), x=0.01, ha="left", fontsize=8.5, color=FAINT)
    return figure


def _short(value: float, _: object = None) -> str:
    """20k for 20,000 and 1.5M for 1,500,000."""
    size, letter = (1e6, "M") if abs(value) >= 1e6 else (1e3, "k") if abs(value) >= 1e3 else (1, "")
    return f"{value / size:g}{letter}".replace("-", "−")
