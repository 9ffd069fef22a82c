# ruff: noqa: E501 (prose)
"""docs/performance.md with its charts, and docs/scale.md, out of what the benchmarks left in results/: `python -m benchmarks.report`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks import real_page, rivals, scale
from benchmarks.measure import RESULTS, ROOT
from benchmarks.scoring import OURS

mpl.use("svg")
import matplotlib.pyplot as plt

NAMES = ("search", "scoring", "reading", "monitoring", "training", "startup", "overhead")
IMAGES = ROOT / "docs" / "images"
# Okabe and Ito's colours, which everybody can tell apart.
COLOURS = {
    OURS: "#0072B2", rivals.REPLACED: "#D55E00", rivals.SKLEARN: "#E69F00", rivals.PYFUNC: "#CC79A7",
    rivals.ONNX: "#009E73", rivals.FLOOR: "#999999", rivals.STRICT: "#555555",
}  # fmt: skip
TEXTS = {
    "search": """The replaced project tried a grid of 400 forests. The grid and plain scikit-learn are estimated from a
sample that is spread from cheap fits to costly ones; the search is measured whole.""",
    "scoring": """A day's Parquet file in, Parquet parts and a manifest out: every byte is hashed, every row checked, every
id looked for among all others, which the rivals do not do. All but the replaced way have the champion's own forest.
The floor reads the same file and writes it again; the strict floor reads the columns that scoring reads and writes
about as much as scoring writes. Neither has a model. They use one core, as reading a Parquet file batch by batch does;
scoring uses both. How many trees the champion has (below) is the search's choice, and most of what scoring takes beyond
the strict floor. All have the allocator that the product sets (`ARROW_DEFAULT_MEMORY_POOL=system`).""",
    "reading": """Every column of a CSV file as text, in blocks of 4 MB. Here each record is looked at before it is parsed, so that
a lone quote or a field too many costs its line and not the file; one block is looked at while the one before is parsed.""",
    "monitoring": """`campaign monitor` as a whole, start of Prefect and of Evidently included, on a day whose outcomes have
all come. Rows, missing values and outcomes are counted exactly; drift is measured on a sample, and its standard error
stands beside it.""",
    "training": """`campaign train` as a whole: every row is read, checked, split and encoded. Trials run on an even
sample of at most 500,000 rows, the final fit on at most `CAMPAIGN_FIT_ROWS`; both are logged and stand in the model
card.""",
    "startup": """Medians of five starts from a warm disk. Memory is that of the process.""",
    "overhead": """The same training twice: as a flow under a Prefect server that stands already, on the same two cores, and
as plain function calls. At the end of every flow run Prefect waits for a thread of its own that looks up once a second.""",
}


def load_results() -> dict[str, dict[str, Any]]:
    """What each benchmark left, in the order of the page."""
    return {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in NAMES}


def targets_table(results: dict[str, dict[str, Any]]) -> Table:
    """Every target, and what was measured."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, width in (("work", 44), ("target", 34), ("measured", 50), ("met", None)):
        table.add_column(name, max_width=width)
    for benchmark in results.values():
        for target in benchmark["targets"]:
            met = "yes" if target["met"] else "[red]no[/]"
            table.add_row(target["work"], target["target"], target["measured"], met)
    return table


def markdown_table(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = (f"{row[name]:,}" if isinstance(row.get(name), int) else str(row.get(name, "")) for name in columns)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render_page(results: dict[str, dict[str, Any]], real: Sequence[Mapping[str, Any]] = ()) -> str:
    """docs/performance.md. `real` are the results of each data set that `make bench-real` was run on."""
    machine = results["scoring"]["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    targets = [target for benchmark in results.values() for target in benchmark["targets"]]
    for target in targets:
        target["met"] = "yes" if target["met"] else "**no**"
    line, differences = results["scoring"]["line"], results["scoring"]["differences"]
    same = ", ".join(f"{name} {value:.0e}" for name, value in differences.items())
    extra = {
        "scoring": f"""Seconds = {line["seconds to begin with"]:.2f} + {line["seconds a million rows"]:.3f} for each million
rows. The champion has {results["scoring"]["trees"]} trees. Largest difference of a probability from rivals with the same forest: {same}.

![Seconds against rows](images/performance-scoring.svg)
![Memory against rows](images/performance-memory.svg)""",
        "search": "![Best ROC-AUC against CPU seconds](images/performance-search.svg)",
    }
    sections = [
        f"## {name.capitalize()}\n\n{TEXTS[name]}\n\n"
        + "\n\n".join(markdown_table(table) for table in benchmark["tables"].values())
        + (f"\n\n{extra[name]}" if name in extra else "")
        for name, benchmark in results.items()
    ]
    if real:
        sections.append(real_page.render_section(real, markdown_table))
    return f"""# Performance

Written by `make bench`, which runs all of this and takes 15 to 40 minutes. Contenders run in turn, each in a process of its
own; a time is the median of its rounds, and the spread is how far the rounds lie apart. CPU seconds are those of all
threads and children. Data comes from the generator, which has the published data's distribution.

Machine: {machine["processor"]}, {machine["cores"]} cores, {machine["memory_gb"]} GB; Python {machine["python"]}, {versions}.

## Targets

{markdown_table(targets)}

A machine that does something else beside this has fewer cores than it says, which costs scoring most, as it uses all of them:
where the spread of a row below is large, measure again.

{(chr(10) * 2).join(sections)}

Not measured here: the web service (`make bench-serving` prints its table), a network between workers and store
([scale.md](scale.md) reckons with it), and any processor but this one.
"""


def draw_charts(results: dict[str, dict[str, Any]]) -> None:
    plt.rcParams |= {"font.size": 11, "svg.hashsalt": "campaign", "axes.spines.top": False, "axes.spines.right": False}
    rows = results["scoring"]["tables"]["scoring"]
    for name, column, label in (("scoring", "wall s", "seconds"), ("memory", "peak MB", "peak memory, MB")):
        figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
        for contender, colour in COLOURS.items():
            points = sorted((row["rows"], row[column]) for row in rows if row["contender"] == contender)
            style = "--" if "floor" in contender else "-"
            axes.plot(*zip(*points, strict=True), style, marker="o", color=colour, label=contender, markersize=5)
        axes.set_xscale("log")
        axes.set_yscale("log" if name == "scoring" else "linear")
        if name == "memory":
            axes.set_ylim(0)
            axes.axhline(700, color="#cc0000", linewidth=1)
            axes.annotate("limit", (min(row["rows"] for row in rows), 710), color="#cc0000")
        axes.set(xlabel="rows of the day", ylabel=label)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
        _save(figure, name)
    search = results["search"]
    figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
    axes.step(*zip(*search["history"], strict=True), where="post", color=COLOURS[OURS], label="search, best so far")
    grid = search["estimates"]["grid"]
    axes.plot(
        [grid],
        [search["best"]["the replaced grid"]],
        "o",
        color=COLOURS[rivals.REPLACED],
        label="grid of 400 (estimated)",
    )
    axes.set_xscale("log")
    axes.set(xlabel="CPU seconds", ylabel="best validation ROC-AUC")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    _save(figure, "search")


def _save(figure: Any, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"performance-{name}.svg", metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def write_performance_page() -> None:
    page = render_page(load_results(), real_page.load_results())
    (ROOT / "docs" / "performance.md").write_text(page)


def write_pages() -> None:
    results = load_results()
    draw_charts(results)
    write_performance_page()
    cluster_file = RESULTS / "cluster.json"
    cluster = json.loads(cluster_file.read_text()) if cluster_file.exists() else None
    (ROOT / "docs" / "scale.md").write_text(scale.render_page(results, cluster, markdown_table))


if __name__ == "__main__":
    write_pages()
