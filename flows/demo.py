"""The whole loop on a made-up world, for a newcomer to watch."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import select

from campaign.identity import SeenIds
from campaign.reading import read_campaigns
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.interruption import cancel_when_interrupted, do_when_interrupted
from flows.monitoring import Monitoring, monitoring
from flows.terminal import LogFollower, print_table
from flows.traffic import traffic
from flows.training import training
from tasks.manifest import read_manifest
from tasks.measures import roc_auc
from tasks.metrics_database import database, metrics
from tasks.model_versions import find_champion, find_version, load_version
from tasks.monitoring.monitor import BATCH
from tasks.monitoring.retraining_call import CALLED, CALLED_BEFORE
from tasks.outcomes import NO_OUTCOME, Outcomes
from tasks.synthetic_days import write_training_data

DAYS, DRIFTED_DAYS, DRIFT = 7, 2, 3.0
STYLES = {"drifted": "yellow", "decayed": "red"}

console = Console(highlight=False)


@contextmanager
def step(title: str) -> Iterator[list[str]]:
    """Show what is going on, then how it ended and how long it took."""
    lines: list[str] = []
    started = time.monotonic()
    with console.status(f"{title} …") as status:
        room = max(console.width - len(title) - 8, 0)
        do_when_interrupted(status.stop)
        follow = LogFollower(lambda line: status.update(f"{title} … [dim]{escape(line[:room])}[/]"))
        for name in ("prefect", "campaign.progress"):
            logging.getLogger(name).addHandler(follow)
        yield lines
        for name in ("prefect", "campaign.progress"):
            logging.getLogger(name).removeHandler(follow)
    console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - started:.0f} s[/]")
    for line in lines:
        console.print(f"    {line}")


@dataclass(frozen=True)
class World:
    """The days of the demo: seven, the last two drifted, and an eighth that no model has seen."""

    days: list[date]
    rows: int

    def drift(self, day: date) -> float:
        return DRIFT if day in self.days[DAYS - DRIFTED_DAYS :] else 1.0

    @property
    def unseen(self) -> date:
        return self.days[DAYS]


def play(rows: int, day_rows: int, trials: int) -> None:
    """Train, score, monitor, retrain; say what an earlier run left to be reused."""
    for flow in (training, batch_scoring, monitoring, traffic):
        cancel_when_interrupted(flow)
    store = Store(Settings().store)
    began = time.monotonic()
    existing = store.days("incoming")
    today = datetime.now(UTC).date()
    days = (
        existing[: DAYS + 1]
        if len(existing) > DAYS
        else [today - timedelta(days=DAYS + 1 - n) for n in range(DAYS + 1)]
    )
    world = World(days, day_rows)
    first, last = days[0], days[DAYS - 1]

    with step(f"Make a world: {rows:,} campaigns to learn from, {DAYS} days of {day_rows:,}") as lines:
        lines.append(f"goals and amounts × {DRIFT:g} on the last {DRIFTED_DAYS} days")
        if store.exists("base/campaigns.parquet"):
            lines.append("reused: base/campaigns.parquet")
        else:
            write_training_data(store, rows)
        missing = [day for day in days[:DAYS] if day not in existing]
        for day in missing:
            traffic(day, day_rows, world.drift(day))
        if len(missing) < DAYS:
            lines.append(f"reused: {DAYS - len(missing)} days of campaigns")
    with step("Train and register the first champion") as lines:
        champion = find_champion(served_model())
        if champion is None:
            verdict = training(trials=trials)
            lines.append(f"version {verdict.version} is champion: {verdict.reason}")
        else:
            lines.append(f"reused: version {champion.number} is champion")
    with step(f"Score {DAYS} days") as lines:
        scored = batch_scoring(from_day=first, to_day=last) if not _all_scored(store, days[:DAYS]) else []
        successful, unsuccessful = (
            sum(getattr(day, name) for day in scored) for name in ("successful", "unsuccessful")
        )
        counts = f"{successful:,} campaigns will succeed, {unsuccessful:,} will not"
        lines.append(counts if scored else "reused: all are scored")
    with step("Monitor them, before any outcome is known") as lines:
        lines += _describe(monitoring())
    with step("Outcomes arrive") as lines:
        late = [day for day in days[:DAYS] if day not in store.days("outcomes")]
        for day in late:
            traffic(day, day_rows, world.drift(day), campaigns=False, outcomes=True)
        lines.append(f"of {len(late)} days" if late else "reused: they are there")
    with step("Monitor again, with outcomes") as lines:
        monitored = monitoring()
        lines += _describe(monitored)
    if monitored.call.status in (CALLED, CALLED_BEFORE):
        with step("Retrain, because monitoring called for it") as lines:
            verdict = training(trials=trials, reasons=monitored.call.reasons)
            role = "champion" if verdict.promoted else "challenger"
            lines.append(f"version {verdict.version} is {role}: {verdict.reason}")
    with step(f"Score and monitor {world.unseen}, a drifted day that no model has seen") as lines:
        if world.unseen not in existing:
            traffic(world.unseen, day_rows, DRIFT, outcomes=True)
        else:
            lines.append("reused: its campaigns and outcomes")
        if not _all_scored(store, [world.unseen]):
            batch_scoring(day=world.unseen)
        monitoring(day=world.unseen)
    console.print()
    print_table(days_table(store, world.days))
    _compare(store, world.unseen)
    _where_to_look(store)
    console.print(f"[dim]{time.monotonic() - began:.0f} s in all.[/]")


def _all_scored(store: Store, days: list[date]) -> bool:
    return all(read_manifest(store, day) is not None for day in days)


def _describe(monitored: Monitoring) -> list[str]:
    drifted = [day.day for day in monitored.days if day.drifted]
    if monitored.days:
        days = f"{len(monitored.days)} days looked at, drifted: {', '.join(drifted) or 'none'}"
    else:
        days = "reused: nothing changed since they were looked at"
    reasons = [f"  {reason}" for reason in monitored.call.reasons]
    return [days, f"retraining: {monitored.call.status}", *reasons]


def days_table(store: Store, days: list[date]) -> Table:
    """What the metrics database says of each day."""
    table = Table(title="The days", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    # Broken by hand, so that it fits a terminal of 80 columns.
    for name in ("day", "rows", "bad", "state", "drifted columns", "prediction\ndrift", "ROC-\nAUC", "cham-\npion"):
        table.add_column(name, justify="left" if name in ("day", "state", "drifted columns") else "right")
    with database().connect() as connection:
        for day in days:
            rows = connection.execute(select(metrics).where(metrics.c.day == day, metrics.c.source == BATCH)).all()
            manifest = read_manifest(store, day)
            if not rows or manifest is None:
                continue
            value = {row.metric: row for row in rows if not row.column_name}
            columns = [row.column_name for row in rows if row.metric == "column_drift" and row.status == "drifted"]
            state = value["day_state"].status
            drift, auc = (
                "-" if name not in value or value[name].value is None else f"{value[name].value:.4f}"
                for name in ("prediction_drift", "realised_roc_auc")
            )
            table.add_row(
                str(day), f"{manifest.rows.read:,}", str(manifest.rows.quarantined), state,
                ", ".join(columns) or "none", drift, auc, manifest.model_version, style=STYLES.get(state),
            )  # fmt: skip
    return table


def _compare(store: Store, day: date) -> None:
    """How the first and the present champion do on the same campaigns."""
    name = served_model()
    present = find_champion(name)
    assert present is not None
    aucs, learnt = {}, []
    for version in dict.fromkeys(["1", present.number]):
        model = load_version(find_version(name, version))
        learnt += [f"version {version}"] if str(day) in model.about.get("days", {}) else []
        outcomes = Outcomes.read((store.at(f"outcomes/day={day}/outcomes.parquet"),), model.schema)
        labels, probabilities = [], []
        for batch in read_campaigns(store.at(f"incoming/day={day}/campaigns.parquet"), model.schema, seen=SeenIds()):
            label = outcomes.of(batch.ids)
            known = batch.good & (label != NO_OUTCOME)
            labels.append(label[known])
            probabilities.append(model.probabilities_of(batch)[known])
        aucs[version] = roc_auc(np.concatenate(labels), np.concatenate(probabilities))
    shown = ", ".join(f"version {version} {auc:.4f}" for version, auc in aucs.items())
    known = f"{' and '.join(learnt)} had learnt from" if learnt else "none of them had learnt from"
    console.print(f"\nROC-AUC on {day}, which {known}: [bold]{shown}[/]", end="")
    gains = list(aucs.values())
    console.print(f" ([bold]{gains[-1] - gains[0]:+.4f}[/])\n" if len(gains) > 1 else "\n")


def _where_to_look(store: Store) -> None:
    home = Settings().home
    root = store.uri.removeprefix("file://")
    relative = Path(root).relative_to(Path.cwd()) if Path(root).is_relative_to(Path.cwd()) else Path(root)
    eda = sorted((home / "mlartifacts").glob("*/artifacts/explore/violins.png"))
    places = {
        "Drift reports": f"{relative}/reports/day=…/drift.html",
        "Figures of the data": str(eda[0].parent) if eda else "",
        "Predictions": f"{relative}/predictions/day=…/manifest.json",
        "Versions and champions": "make champion",
        "MLflow and Prefect UI": "make ui",
    }
    for name, place in places.items():
        console.print(f"{name:<24}{place}", soft_wrap=True)  # a path broken in two cannot be copied
