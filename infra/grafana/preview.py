"""A picture of a dashboard where no Grafana can be run: its panels, drawn from the answers to the same queries.

make demo && make grafana-preview                                            of the figures of this home, as PNG
python -m infra.grafana.preview out.png --database postgresql://grafana@…    of a stack's, as the role that Grafana has
python -m infra.grafana.preview out.png --dashboard web-service --prometheus http://localhost:9090
"""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

import matplotlib
import pandas as pd
import sqlalchemy as sa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from campaign.settings import Settings
from infra.grafana.panels import COLOURS, DRAW, INCHES_X, INCHES_Y
from infra.grafana.queries import Ask, ask_database, ask_prometheus, copied_to_postgres

DASHBOARDS = Path(__file__).parent / "dashboards"
FRAMED = ("timeseries", "status-history")


def draw(board: dict, ask: Ask) -> Figure:
    """Each panel where the dashboard has it. A query that fails raises."""
    matplotlib.rcParams |= {"font.size": 7, "axes.edgecolor": COLOURS["line"], "text.parse_math": False}
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    heading = 0.5 / INCHES_Y  # in cells
    figure = Figure(figsize=(24 * INCHES_X, (rows + heading) * INCHES_Y), facecolor=COLOURS["page"])
    cell = 1 / (rows + heading)  # its height as a share of the figure
    figure.text(0.008, 1 - heading / 2 * cell, board["title"], size=13, color=COLOURS["text"], va="center")
    for panel in board["panels"]:
        at = panel["gridPos"]
        left, top = at["x"] / 24, 1 - (at["y"] + heading) * cell
        if panel["type"] == "row":
            title = f"▾ {panel['title']}"
            figure.text(0.008, top - cell / 2, title, size=10, color=COLOURS["text"], va="center")
            continue
        axes = add_panel(figure, panel, left, top, at["w"] / 24, at["h"] * cell, cell)
        frame = ask(panel) if "targets" in panel else pd.DataFrame()
        if frame.empty and "targets" in panel and panel["type"] != "stat":
            axes.set_axis_off()
            axes.text(0.5, 0.5, panel["fieldConfig"]["defaults"]["noValue"], color=COLOURS["faint"], ha="center")
        else:
            DRAW[panel["type"]](axes, panel, frame)
    return figure


def add_panel(figure: Figure, panel: dict, left: float, top: float, width: float, height: float, cell: float) -> Axes:
    """A frame with its title, and the axes inside it with room for labels and a legend. All in shares of the figure."""
    frame = Rectangle(
        (left + 0.002, top - height + 0.06 * cell), width - 0.004, height - 0.12 * cell,
        transform=figure.transFigure, facecolor=COLOURS["panel"], edgecolor=COLOURS["line"], zorder=-1,
    )  # fmt: skip
    figure.add_artist(frame)
    title = figure.text(left + 0.007, top - 0.45 * cell, panel["title"], size=8, color=COLOURS["text"])
    title.set(va="center", weight="bold")
    is_framed = panel["type"] in FRAMED
    before, after, below = 0.004, 0.004, 0.1 * cell
    if is_framed:
        has_legend_beside = panel["options"]["legend"]["placement"] == "right"
        before = 0.035 if panel["type"] == "timeseries" else 0.075
        after, below = (0.1, 0.9 * cell) if has_legend_beside else (0.01, 1.6 * cell)
    inside = (left + before, top - height + below, width - before - after, height - below - cell)
    axes = figure.add_axes(inside, facecolor=COLOURS["panel"])
    axes.tick_params(colors=COLOURS["faint"], length=0, labelsize=6.5)
    if not is_framed:
        axes.set_axis_off()
    return axes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.grafana.preview", description="Draw a dashboard.")
    parser.add_argument("file", type=Path, help="the picture to write")
    parser.add_argument("--dashboard", default="campaign-model", help="a file of dashboards/ (default: %(default)s)")
    parser.add_argument("--database", help="a Postgres, as the role grafana (default: a copy of this home's figures)")
    parser.add_argument("--prometheus", help="the address of a Prometheus, for the dashboard web-service")
    args = parser.parse_args()
    board = json.loads((DASHBOARDS / f"{args.dashboard}.json").read_text())
    with ExitStack() as stack:
        if args.prometheus:
            ask = ask_prometheus(board, args.prometheus)
        else:
            url = args.database or stack.enter_context(copied_to_postgres(Settings().metrics_url))
            ask = ask_database(board, sa.create_engine(url))
        draw(board, ask).savefig(args.file, dpi=90)
    print(f"The picture is in {args.file}.")


if __name__ == "__main__":
    main()
