"""What a replay found, as a person at the terminal sees it."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from flows.replay.results import Replayed, is_trusted
from tasks.replay.figures import Figure


def results_table(replayed: Replayed) -> Table:
    """A line a span: ROC-AUC and log loss of each course, the ROC-AUC that was foretold, drift and champions.

    Of three courses ROC-AUC alone: the page has the rest.
    """
    table = Table(title=replayed.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    # Broken by hand, so that it fits a terminal of 80 columns.
    for name in ("period", "out-\ncomes", "success\nrate", "esti-\nmated"):
        table.add_column(name, justify="left" if name == "period" else "right", no_wrap=True)
    with_loss = len(replayed.distinct) <= 2
    for course in replayed.distinct:
        table.add_column(f"ROC-AUC\n{course.rule}", justify="right", no_wrap=True)
        if with_loss:
            table.add_column("log\nloss", justify="right", no_wrap=True)
    table.add_column("drifted columns, new champions", overflow="fold")
    for number, span in enumerate(replayed.spans):
        quality = replayed.courses[0].quality[number]
        estimated = f"{quality.estimated_roc_auc.value:.3f}" if is_trusted(replayed.unseen[number]) else "?"
        cells = [str(span).replace(" to ", "\nto "), f"{quality.outcomes:,}", f"{quality.success_rate:.1%}", estimated]
        for course in replayed.distinct:
            quality = course.quality[number]
            cells += [_with_interval(quality.roc_auc), *[f"{quality.log_loss.value:.3f}"] * with_loss]
        table.add_row(*cells, "; ".join(replayed.events_in(span)))
    return table


def _with_interval(figure: Figure) -> str:
    half = (figure.high - figure.low) / 2
    return "–" if half != half else f"{figure.value:.3f}\n±{half:.3f}"
