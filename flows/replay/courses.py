"""Somebody's history through the real loop: each flow runs at the moments of the past, and knows what was known then.

A course is a home of its own, and a rule of when to train again. Those that have done the same so far share one home:
it is copied where they part. One of them is monitored: in the others monitoring would decide nothing.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import Scheduled

from campaign.schema import Schema
from campaign.schema_file import NAME
from campaign.settings import Settings
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.monitoring import monitoring
from flows.replay.journal import Before, Journal, Played, Trained
from flows.training import training
from tasks.metrics_database import database, metrics, retraining_calls
from tasks.model_versions import Version, list_versions
from tasks.monitoring.metric_rows import DRIFTED
from tasks.monitoring.retraining_call import CALLED
from tasks.replay.arrivals import BASE, write_arrivals, write_beginning
from tasks.replay.history import History
from tasks.replay.periods import Period, midnight

Rule = Literal["called", "never", "always"]
RULES: tuple[Rule, ...] = ("called", "never", "always")  # in the order in which they are played
START = "start"
# A replay has a store, registry and databases of its own, keeps all, and promotes nothing in the shadow.
OWN = (
    "CAMPAIGN_STORE", "CAMPAIGN_METRICS_URL", "CAMPAIGN_OPTUNA_URL", "CAMPAIGN_DATASET", "CAMPAIGN_MODEL",
    "CAMPAIGN_DASK_SCHEDULER", "CAMPAIGN_SHADOW", "CAMPAIGN_KEEP_", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI",
)  # fmt: skip

Show = Callable[[Rule, Played], None]


@dataclass(frozen=True)
class Plan:
    """What is replayed: `folder` holds the courses, and the schema as campaign.toml."""

    folder: Path
    schema: Schema
    history: History
    periods: list[Period]
    trials: int


@contextmanager
def home_at(home: Path, lookback_days: int = 1) -> Iterator[Store]:
    """The environment of a course's home for the block; the flows look back as far as the period that is over."""
    own = {"CAMPAIGN_HOME": str(home), "CAMPAIGN_SCHEMA": str(home.parent / NAME)}
    own["CAMPAIGN_LOOKBACK_DAYS"] = str(lookback_days)
    before = {name: value for name, value in os.environ.items() if name.startswith((*own, *OWN))}
    for name in before:
        del os.environ[name]
    os.environ.update(own)
    home.mkdir(parents=True, exist_ok=True)
    try:
        yield Store(Settings().store)
    finally:
        for name in own:
            os.environ.pop(name, None)
        os.environ.update(before)


def run_at(moment: datetime, flow: Flow[..., Any], **parameters: Any) -> Any:
    """What a flow gives that was scheduled for a moment, as a worker would run it."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(flow, parameters=parameters, state=Scheduled(scheduled_time=moment))
    return run_flow(flow, flow_run=run, parameters=parameters)


def replay(plan: Plan, rules: list[Rule], show: Show) -> dict[Rule, Path]:
    """Play a course for each rule; gives the home of each. Where no call was made, never is the same as called."""
    homes: dict[Rule, Path] = {}
    for rule in [rule for rule in RULES if rule in rules]:
        if rule == "never" and "called" in homes and not _has_trained_again(Journal(homes["called"]).read()):
            homes[rule] = homes["called"]
            continue
        play(plan, rule, show, fork="never" if rule == "called" and "never" in rules else None, monitored=not homes)
        homes[rule] = plan.folder / rule
    return homes


def play(plan: Plan, rule: Rule, show: Show, fork: Rule | None, monitored: bool) -> None:
    """Play a course to its end. Before it first trains again, its home is copied for the rule that does not."""
    home = plan.folder / rule
    if not home.exists():
        copy_home(start(plan, show), home)
    journal = Journal(home)
    for period in plan.periods[len(journal.read()) - 1 :]:

        def keep_for_other() -> None:
            other = plan.folder / fork if fork else None
            if other and not other.exists() and not _has_trained_again(journal.read()):
                copy_home(home, other)
                Journal(other).forget_before()

        played = play_period(plan, home, rule, period, monitored, keep_for_other)
        journal.add(played)
        show(rule, played)


def start(plan: Plan, show: Show) -> Path:
    """The home in which the data to begin with was learnt from, made unless it is there."""
    home, first = plan.folder / START, plan.periods[0]
    journal = Journal(home)
    if not journal.read():
        with home_at(home, first.days) as store:
            write_beginning(store, plan.history, first)
            began = journal.before(Before(0, 0))
            played = Played("", trained=train_at(midnight(first.first), plan, store, began, []))
            journal.add(played)
            show("called", played)
    return home


def play_period(
    plan: Plan, home: Path, rule: Rule, period: Period, monitored: bool, before_training: Callable[[], None]
) -> Played:
    """Bring what a period brought, and run what was due when it was over."""
    with home_at(home, period.days) as store:
        before = Journal(home).before(Before(len(_read_calls()), _newest_version(plan)))
        write_arrivals(store, plan.history, period)
        run_at(period.moment, batch_scoring)
        status = run_at(period.moment, monitoring, reports=False).call.status if monitored else ""
        calls = _read_calls()[before.calls :]  # by now; a replay that was killed may have trained since
        trained = None
        if rule == "always" or (rule == "called" and calls):
            before_training()
            trained = train_at(period.moment, plan, store, before, calls)
        state, drifted_columns = _state_at_end(period) if monitored else ("", [])
        return Played(str(period), state, drifted_columns, CALLED if calls and monitored else status, trained)


def train_at(moment: datetime, plan: Plan, store: Store, before: Before, reasons: list[str]) -> Trained:
    """Train, unless that was done before the replay was killed: then its cost is not known."""
    for version in list_versions(plan.schema.name)[:1]:
        if int(version.number) > before.version and "verdict" in version.tags:
            return _trained_before(version, reasons)
    began, cpu_began = time.monotonic(), time.process_time()
    verdict = run_at(moment, training, dataset=store.at(BASE), trials=plan.trials, reasons=reasons)
    took = time.monotonic() - began, time.process_time() - cpu_began
    return Trained(verdict.version, verdict.promoted, verdict.reason, *took, reasons)


def copy_home(home: Path, target: Path) -> None:
    """Whole or not at all."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(home, partial)
    partial.rename(target)


def _has_trained_again(played: list[Played]) -> bool:
    return any(period.trained for period in played[1:])


def _newest_version(plan: Plan) -> int:
    return max((int(version.number) for version in list_versions(plan.schema.name)), default=0)


def _state_at_end(period: Period) -> tuple[str, list[str]]:
    """Of the newest day of a period that was monitored, what it is, and its drifted columns."""
    within = metrics.c.day.between(period.first, period.end - timedelta(days=1))
    wanted = sa.select(metrics).where(within, metrics.c.metric.in_(("day_state", "column_drift")))
    with database().connect() as connection:
        rows = connection.execute(wanted.order_by(metrics.c.day.desc())).all()
    newest = [row for row in rows if row.day == rows[0].day]
    state = next((row.status for row in newest if row.metric == "day_state"), "")
    return state, [row.column_name for row in newest if row.metric == "column_drift" and row.status == DRIFTED]


def _read_calls() -> list[str]:
    """Why retraining was called for, each time that it was."""
    wanted = sa.select(retraining_calls.c.reasons).order_by(retraining_calls.c.called_at)
    with database().connect() as connection:
        return [*connection.execute(wanted).scalars()]


def _trained_before(version: Version, reasons: list[str]) -> Trained:
    reason = version.tags["verdict"].partition(": ")[2]
    return Trained(version.number, bool(version.promoted_at), reason, 0.0, 0.0, reasons)
