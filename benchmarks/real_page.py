"""The results of `make bench-real`: a file for each data set, a table for the terminal, a section of the page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.measure import RESULTS, Timed
from benchmarks.real_figures import LOG_LOSS, ROC_AUC, Figures, difference
from benchmarks.real_product import OURS
from benchmarks.real_targets import MISSED, Judged

FOLDER = RESULTS / "real"
TEXT = """`make bench-real DATA=… SCHEMA=…` measures this project beside what people would use instead, on campaigns of
somebody's own: scikit-learn's random forest and logistic regression (one-hot, numbers standardised for the latter), its
HistGradientBoosting and CatBoost (native categories), all at their defaults. Models are judged on the latest fifth of
all rows after the earlier 80 %, on the fifth before it after the earlier 60 %, without what was not decided at the cut,
and by the split by id. The others are fitted on all rows before the cut, or all but the test rows; this project gets
the same rows as a file, and keeps its own test rows of a period's.

Figures are means over the seeds; differences are this project's less the other's, with the 95 % interval of a paired
bootstrap of the judged rows. A target is missed if the whole interval lies beyond it. Training is `campaign train` as
a whole, with its start, search, backtest and registration, beside one fit of each of the others. Scoring begins with a
file: this project derives the columns that the other models find derived. The champion's three ways begin with the same
file, read and derived by this project.

Where this project ranks better and has the worse log loss, it is the level that it misses: late rows weigh more, and
the share of successes that they follow may turn in the judged period (both shares stand above each table)."""


def quality_rows(figures: Mapping[str, Figures]) -> list[dict[str, str]]:
    """A table of the contenders of one evaluation."""
    rows = []
    for name, own in figures.items():
        row = {"contender": name} | {figure: f"{value:.4f}" for figure, value in own.means.items()}
        for figure in (ROC_AUC, LOG_LOSS):
            row[f"difference of {figure}"] = "" if name == OURS else str(difference([figures[OURS]], [own], figure))
        rows.append(row)
    return rows


def cost_rows(evaluation: str, trained: Mapping[str, Timed], speeds: Mapping[str, float]) -> list[dict[str, Any]]:
    """What training took, in the median of the seeds, and how many rows a second are scored."""
    rows = []
    for name, timed in trained.items():
        peak = timed.result.get("memory of all processes", timed.peak)
        rows.append({
            "judged on": evaluation, "contender": name, "training CPU s": round(timed.cpu_seconds, 1),
            "wall s": round(timed.seconds, 1), "peak MB": round(peak), "scored rows a second": round(speeds[name]),
        })  # fmt: skip
    return rows


def save_results(results: dict[str, Any], folder: Path = FOLDER) -> None:
    """In place of those of this data set from before."""
    folder.mkdir(exist_ok=True)
    (folder / f"{results['data']}.json").write_text(json.dumps(results, indent=1) + "\n")


def load_results(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Those of every data set that has been measured, by name."""
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]


def tables_of(results: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Every table of a data set, with what stands above it."""
    evaluations = {
        f"{name}: fitted on {held['fitted']:,} rows ({held['fitted_rate']:.3f} succeeded), "
        f"judged on {held['judged']:,} ({held['judged_rate']:.3f})": held["table"]
        for name, held in results["evaluations"].items()
    }
    return evaluations | {
        "What it takes": results["cost"],
        f"The champion of the split by id, scoring {results['scored']:,} rows": results["scoring"],
        "Targets": results["targets"],
    }


def print_results(results: Mapping[str, Any]) -> None:
    """For whoever waited at the terminal."""
    console = Console(width=160)
    console.print(_about(results), highlight=False)
    for title, rows in tables_of(results).items():
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in rows[0]:
            table.add_column(name)
        for row in rows:
            cells = (f"{value:,}" if isinstance(value, int) else str(value) for value in row.values())
            table.add_row(*cells, style="red" if row.get("verdict") == MISSED else None)
        console.print(table)


def target_rows(targets: Sequence[Judged]) -> list[dict[str, str]]:
    return [asdict(target) for target in targets]


def render_section(data_sets: Sequence[Mapping[str, Any]], markdown_table: Callable[..., str]) -> str:
    """The part of docs/performance.md about all data sets that have been measured."""
    parts = ["## Beside other models", TEXT]
    for results in data_sets:
        parts += [f"### {results['data']}", _about(results)]
        for title, rows in tables_of(results).items():
            parts += [f"{title}:", markdown_table(rows)]
    return "\n\n".join(parts)


def _about(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    versions = f"scikit-learn {machine['versions']['scikit-learn']}, CatBoost {results['catboost']}"
    return (
        f"{results['rows']:,} decided rows with {results['features']} features; {results['trials']} trials, "
        f"{results['seeds']} seeds. {machine['processor']}, {machine['cores']} cores; {versions}."
    )
