"""`campaign status`: one screen of how things stand, and the command that is next."""

import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from campaign.errors import CampaignError
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.terminal import print_table
from tasks.day_files import Ignored, ignored_in, readable_files_by_day
from tasks.manifest import read_manifest
from tasks.metrics_database import database, in_utc, metrics, retraining_calls
from tasks.model_versions import REASON, Version, find_champion, list_versions, load_version
from tasks.monitoring.monitor import BATCH
from tasks.scoring.score import is_current

DAYS_SHOWN = 10
NOT_SCORED, CHANGED, NOT_MONITORED = "not scored", "changed since it was scored", "not monitored"


@dataclass(frozen=True)
class Day:
    """A day that has campaigns, and how far it has come. `state` is monitoring's, or what is missing; `unread` are
    files that scoring could not read, with the reason."""

    day: str
    files: int
    version: str = ""
    rows: int = 0
    quarantined: int = 0
    outcomes: bool = False
    state: str = NOT_SCORED
    unread: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """How the home stands. `champion` has its version, since when and why; empty if there is none."""

    home: str
    store: str
    model: str
    champion: dict[str, str] = field(default_factory=dict)
    made_up: bool = False
    versions: int = 0
    newest_scored: str = ""
    newest_monitored: str = ""
    days: list[Day] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    call: dict[str, str] = field(default_factory=dict)
    next: str = "campaign train"


def read_status() -> Status:
    """By what the store, the registry and the metrics database hold; nothing is made or changed."""
    settings = Settings()
    home = settings.home.absolute()
    if not home.exists() and settings.store.startswith("file://"):
        return Status(str(home), settings.store, "", next="campaign demo, or campaign init FILE")
    store, model, today = Store(settings.store), served_model(), datetime.now(UTC).date()
    champion = find_champion(model)
    days = read_days(store, today, settings.lookback_days)
    scored = [day.day for day in days if day.version]
    monitored = [day.day for day in days if day.version and day.state not in (NOT_MONITORED, CHANGED)]
    ignored = [
        *ignored_in(store, "incoming", today, settings.lookback_days),
        *(found for found in ignored_in(store, "outcomes", today, 10**5) if "future" not in found.reason),
    ]
    named = {one.path for one in ignored}
    ignored += [Ignored(*file) for day in days for file in day.unread.items() if file[0] not in named]
    call = newest_call(champion)
    return Status(
        str(home), settings.store, model, describe(champion), is_made_up(champion), len(list_versions(model)),
        max(scored, default=""), max(monitored, default=""), days[-DAYS_SHOWN:], ignored, call,
        next_command(champion, days, call),
    )  # fmt: skip


def read_days(store: Store, today: date, lookback_days: int) -> list[Day]:
    """The days that are looked at, oldest first."""
    with database().connect() as connection:
        wanted = sa.select(metrics.c.day, metrics.c.model_version, metrics.c.status)
        rows = connection.execute(wanted.where(metrics.c.metric == "day_state", metrics.c.source == BATCH)).all()
    states = {(row.day, row.model_version): row.status for row in rows}
    with_outcomes = readable_files_by_day(store, "outcomes")
    days = []
    for day, entries in readable_files_by_day(store, "incoming").items():
        if not today - timedelta(days=lookback_days) <= day <= today:
            continue
        manifest = read_manifest(store, day)
        if manifest is None:
            days.append(Day(str(day), len(entries), outcomes=day in with_outcomes))
            continue
        state = states.get((day, manifest.model_version), NOT_MONITORED)
        days.append(Day(
            str(day), len(entries), manifest.model_version, manifest.rows.read, manifest.rows.quarantined,
            day in with_outcomes, state if is_current(manifest, entries, store) else CHANGED,
            {store.path_of(part.uri): part.fault for part in manifest.faults},
        ))  # fmt: skip
    return days


def describe(champion: Version | None) -> dict[str, str]:
    if champion is None:
        return {}
    reason = champion.tags.get(REASON, "")
    return {"version": champion.number, "since": champion.promoted_at[:16].replace("T", " "), "reason": reason}


def is_made_up(champion: Version | None) -> bool:
    """Whether the champion learnt from made-up campaigns."""
    with suppress(CampaignError):  # a version that cannot be loaded is found by the one that needs it
        return champion is not None and bool(load_version(champion).about.get("made_up"))
    return False


def newest_call(champion: Version | None) -> dict[str, str]:
    """The newest call for retraining that the champion has not answered."""
    if champion is None:
        return {}
    with database().connect() as connection:
        row = connection.execute(
            sa.select(retraining_calls)
            .where(retraining_calls.c.champion == champion.number)
            .order_by(retraining_calls.c.called_at.desc())
        ).first()
    return {"since": f"{in_utc(row.called_at):%Y-%m-%d %H:%M}", "reasons": row.reasons} if row else {}


def next_command(champion: Version | None, days: list[Day], call: dict[str, str]) -> str:
    if champion is None:
        return "campaign train"
    if any(day.state in (NOT_SCORED, CHANGED) for day in days):
        return "campaign score"
    if any(day.state == NOT_MONITORED for day in days):
        return "campaign monitor"
    return "campaign train" if call else "nothing: all that came is scored and monitored"


def why_nothing_is_scored() -> list[str]:
    """What there is instead of new days: all are scored, none has come, or what came is passed over."""
    settings, today = Settings(), datetime.now(UTC).date()
    store = Store(settings.store)
    days = read_days(store, today, settings.lookback_days)
    scored = [day.day for day in days if day.version]
    how_many = "1 day is" if len(scored) == 1 else f"{len(scored)} days are"
    found = [f"{how_many} scored, the newest is {scored[-1]}."] if scored else []
    ignored = ignored_in(store, "incoming", today, settings.lookback_days)
    found += [f"Not looked at: {one.path}: {one.reason}." for one in ignored]
    return found or [f"No campaigns have come: put files into {store.at('incoming')}/day={today}/."]


def show(status: Status, as_json: bool) -> None:
    """Print it, for people or for programs."""
    if as_json:
        json.dump(asdict(status), sys.stdout, indent=1)
        print()
        return
    console = Console(highlight=False)
    for name, value in facts(status).items():
        if value:
            console.print(f"{name:<12}{escape(value)}", soft_wrap=True)
    if status.days:
        print_table(days_table(status.days))
    if status.ignored:
        console.print("[yellow]Not looked at[/]")
    for one in status.ignored:
        console.print(f"  {escape(one.path)}: {escape(one.reason)}", soft_wrap=True)
    console.print(f"{'Next':<12}[bold]{escape(status.next)}[/]", soft_wrap=True)


def facts(status: Status) -> dict[str, str]:
    if not status.model:
        return {"Home": f"{status.home}, which is not there: nothing was trained or dropped here"}
    champion = status.champion
    who = f"version {champion['version']}, since {champion['since']} UTC: {champion['reason']}" if champion else (
        f"none: {status.versions or 'no'} version{'s' * (status.versions != 1)} of it registered"
    )  # fmt: skip
    call, bad = status.call, [day.quarantined for day in status.days if day.quarantined]
    return {
        "Home": status.home,
        "Store": status.store if status.store != f"file://{status.home}/store" else "",
        "Model": status.model + ", learnt from made-up campaigns" * status.made_up,
        "Champion": who,
        "Scored": f"newest day {status.newest_scored}" if status.newest_scored else "no day",
        "Monitored": f"newest day {status.newest_monitored}" if status.newest_monitored else "no day",
        "Quarantine": f"{sum(bad):,} rows of {len(bad)} day{'s' * (len(bad) != 1)}" if bad else "",
        "Retraining": f"called for at {call['since']} UTC: {call['reasons']}" if call else "not called for",
    }


def days_table(days: list[Day]) -> Table:
    """Of the newest days."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("day", "files", "rows", "bad", "by version", "outcomes", "state"):
        table.add_column(name, justify="left" if name in ("day", "outcomes", "state") else "right")
    for day in days:
        rows = (f"{day.rows:,}", str(day.quarantined), day.version) if day.version else ("", "", "")
        table.add_row(day.day, str(day.files), *rows, "yes" if day.outcomes else "", day.state)
    return table
