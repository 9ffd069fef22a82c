"""Each kind of panel, drawn by matplotlib much as Grafana's dark theme does."""

import re
import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

COLOURS = {
    "green": "#73bf69", "yellow": "#fade2a", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2",
    "purple": "#b877d9", "text": "#ccccdc", "transparent": "none",
    "light-green": "#96d98d", "light-yellow": "#ffee52", "light-blue": "#8ab8ff", "super-light-blue": "#c0d8ff",
    "dark-yellow": "#e0b400", "dark-orange": "#fa6400", "dark-red": "#c4162a", "dark-purple": "#8f3bb8",
    "page": "#111217", "panel": "#181b1f", "faint": "#8e8e9b", "line": "#2e3137",
}  # fmt: skip
OTHERS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a"]
INCHES_X, INCHES_Y = 0.8, 0.42  # of a cell of the 24 columns' grid


def shade(name: str) -> str:
    """Of a name that Grafana's palette has, or of a colour in hexadecimal."""
    return COLOURS.get(name, name)


def written(value: Any, unit: str, decimals: int | None) -> str:
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    if unit == "dateTimeAsIso" or isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if unit == "percentunit":
        return f"{100 * value:.{1 if decimals is None else decimals}f} %"
    if unit == "bytes":
        return f"{value / 2**20:,.0f} MiB"
    if unit == "s":
        return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
    text = f"{value:,.0f}" if unit == "locale" else f"{value:.{decimals}f}" if decimals is not None else f"{value:.4g}"
    return text + {"h": " hours", "reqps": " req/s"}.get(unit, "")


def of_column(panel: dict, name: str) -> dict:
    """What is said of a column or series: the panel's defaults, and what overrides them."""
    said = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        is_regexp = matcher["id"] == "byRegexp"
        if re.search(matcher["options"].strip("/"), name) if is_regexp else matcher["options"] == name:
            said |= {each["id"]: each["value"] for each in override["properties"]}
    return said


def meaning_of(value: Any, said: dict) -> dict[str, str]:
    """What a value mapping says of a value: its text and colour."""
    key = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    return next((mapping["options"][key] for mapping in said.get("mappings", []) if key in mapping["options"]), {})


def colour_of(value: Any, said: dict) -> str:
    if said.get("color", {}).get("mode") == "fixed":
        return shade(said["color"]["fixedColor"])
    if found := meaning_of(value, said):
        return shade(found["color"])
    colour = "text"
    for step in said.get("thresholds", {}).get("steps", []):
        is_reached = not isinstance(value, str) and pd.notna(value) and value >= (step["value"] or 0)
        if step["value"] is None or is_reached:
            colour = step["color"]
    return shade(colour)


def mapped(value: Any, said: dict) -> str:
    return meaning_of(value, said).get("text") or written(value, said.get("unit", ""), said.get("decimals"))


def draw_stat(axes: Axes, panel: dict, frame: pd.DataFrame) -> None:
    shown = re.compile(panel["options"]["reduceOptions"]["fields"].strip("/") or ".*")
    names = [name for name in frame.columns if name != "time" and shown.match(str(name))]
    values = [(name, frame[name].dropna().iloc[-1] if frame[name].notna().any() else None) for name in names]
    values = sorted(values, key=lambda each: each[0] == "day") or [("", None)]
    for n, (name, value) in enumerate(values[:2]):
        said = of_column(panel, name)
        text = mapped(value, said) if value is not None else said["noValue"]
        if panel["options"]["textMode"] == "name" and value is not None:
            text = str(name)
        size = min(20, 200 / max(len(text), 1)) if n == 0 else 10
        y = 0.5 if len(values) == 1 else 0.62 - 0.4 * n
        axes.text(0.5, y, text, color=colour_of(value, said), size=size, ha="center", va="center")


def draw_series(axes: Axes, panel: dict, frame: pd.DataFrame) -> None:
    said, stacked = panel["fieldConfig"]["defaults"], None
    others = iter(OTHERS * 20)
    names = [name for name in frame.columns if name not in ("time", "day")]
    for name in names:
        of = of_column(panel, name)
        colour = shade(of["color"]["fixedColor"]) if of["color"]["mode"] == "fixed" else next(others)
        values = frame[name].astype(float)
        last = written(values.dropna().iloc[-1] if values.notna().any() else None, of["unit"], of.get("decimals"))
        label = f"{name}  {last or said['noValue']}"
        if said["custom"]["drawStyle"] == "bars":
            axes.bar(frame["time"], values.fillna(0), bottom=stacked, width=0.7, color=colour, alpha=0.7, label=label)
            if said["custom"]["stacking"]["mode"] == "normal":
                stacked = values.fillna(0) if stacked is None else stacked + values.fillna(0)
        else:
            dashed = "custom.lineStyle" in of
            points = len(frame) < 60 and of.get("custom.showPoints", said["custom"]["showPoints"]) != "never"
            axes.plot(
                frame["time"], values, color=colour, label=label, linewidth=of.get("custom.lineWidth", 1.5),
                linestyle="--" if dashed else "-", marker="o" if points else None, markersize=3.5,
            )  # fmt: skip
    soft = said["custom"].get("axisSoftMin", said.get("min"))
    if soft is not None:
        low, high = axes.get_ylim()
        axes.set_ylim(soft if frame[names].min(axis=None) >= soft else low, max(high, soft + 1e-6))
    axes.yaxis.set_major_formatter(lambda value, _: written(value, said["unit"], None))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=said["unit"] == "locale"))
    axes.set_axisbelow(True)
    axes.grid(color=COLOURS["line"], linewidth=0.6)
    longest = max((len(name) + 8 for name in names), default=1)
    legend(axes, max(1, int(panel["gridPos"]["w"] * 9 / longest)), panel["options"]["legend"]["placement"] == "right")


def legend(axes: Axes, columns: int, is_right: bool = False, handles: list[Patch] | None = None) -> None:
    where = {"bbox_to_anchor": (1, 1.05)} if is_right else {"bbox_to_anchor": (0, -0.13), "ncols": columns}
    axes.legend(
        handles=handles, loc="upper left", frameon=False, fontsize=6.5, labelcolor=COLOURS["text"],
        handlelength=1.4, columnspacing=1.2, **where,
    )  # fmt: skip


def draw_history(axes: Axes, panel: dict, frame: pd.DataFrame) -> None:
    names = [name for name in frame.columns if name != "time"]
    for row, name in enumerate(names):
        said = of_column(panel, name)
        for column, value in enumerate(frame[name]):
            if pd.notna(value):
                colour = colour_of(value, said)
                axes.add_patch(Rectangle((column + 0.05, row + 0.05), 0.9, 0.9, color=colour, alpha=0.75, linewidth=0))
    axes.set_xlim(0, max(len(frame), 1))
    axes.set_ylim(max(len(names), 1), 0)
    axes.set_yticks(np.arange(len(names)) + 0.5, names)
    axes.set_xticks(np.arange(len(frame)) + 0.5, [f"{moment:%m-%d}" for moment in frame.get("time", [])])
    meanings = [
        Patch(color=shade(option["color"]), alpha=0.75, label=option["text"])
        for mapping in panel["fieldConfig"]["defaults"].get("mappings", [])
        for option in mapping["options"].values()
    ]
    if meanings:
        legend(axes, len(meanings), handles=meanings)


def draw_table(axes: Axes, panel: dict, frame: pd.DataFrame) -> None:
    width, height = panel["gridPos"]["w"] * INCHES_X, panel["gridPos"]["h"] * INCHES_Y
    asked = [of_column(panel, name).get("custom.width") for name in frame.columns]
    free = [n for n, each in enumerate(asked) if each is None]
    left = max(1600 - sum(each or 0 for each in asked), 100) / max(len(free), 1)
    widths = [each or left for each in asked]
    edges = np.cumsum([0, *widths]) / max(sum(widths), 1600)
    line = 0.24 / height
    rows = [list(frame.columns), *frame.itertuples(index=False)]
    for n, row in enumerate(rows[: int(0.92 / line)]):
        for name, value, begin, end in zip(frame.columns, row, edges, edges[1:], strict=False):
            said = of_column(panel, str(name))
            coloured = n and said.get("custom.cellOptions", {}).get("type") == "color-text"
            text = str(name) if n == 0 else mapped(value, said) or said["noValue"]
            cut = textwrap.shorten(text, max(int((end - begin) * width * 13.5), 4), placeholder="…")
            colour = colour_of(value, said) if coloured else COLOURS["faint" if n == 0 else "text"]
            axes.text(begin + 0.005, 0.97 - line * (n + 0.5), cut, size=7, color=colour, va="center")


def draw_words(axes: Axes, panel: dict, _: pd.DataFrame) -> None:
    words = panel["options"].get("content", "What fires now, as Grafana's rules find it.")
    lines = [
        line
        for part in words.splitlines()
        for line in textwrap.wrap(part.replace("**", ""), 10 * panel["gridPos"]["w"])
    ]
    for n, line in enumerate(lines):
        axes.text(0.02, 0.88 - 0.155 * n, line, size=6.8, color=COLOURS["text"], va="center")


DRAW = {
    "stat": draw_stat, "timeseries": draw_series, "status-history": draw_history, "table": draw_table,
    "text": draw_words, "alertlist": draw_words,
}  # fmt: skip
