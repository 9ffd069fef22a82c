"""What a day's folder holds, and what is left out of it and why."""

from dataclasses import dataclass
from datetime import date, timedelta

from campaign.files import is_readable_name
from campaign.store import Entry, Store, day_of

READ = "those are files that end in .parquet, .csv or .jsonl"


@dataclass(frozen=True)
class Ignored:
    """A folder or file that no run looks at, and the reason, in words that say what to do."""

    path: str
    reason: str


def readable_files(store: Store, folder: str, day: date | str) -> list[Entry]:
    """The Parquet and text files that a folder holds of a day."""
    return [entry for entry in store.entries(f"{folder}/day={day}") if _is_readable(entry)]


def readable_files_by_day(store: Store, folder: str) -> dict[date, list[Entry]]:
    """Those of every day that has one, oldest first, by one listing of the folder."""
    found = {
        day: [entry for entry in entries if _is_readable(entry)]
        for day, entries in store.entries_by_day(folder).items()
    }
    return {day: entries for day, entries in found.items() if entries}


def unread_files(store: Store, folder: str, day: date | str) -> list[str]:
    """The names of what else lies there: hidden, unfinished, or of a kind that nobody reads."""
    prefix = f"{folder}/day={day}/"
    entries = store.entries(f"{folder}/day={day}", hidden=True)
    return [entry.path.removeprefix(prefix) for entry in entries if not _is_readable(entry)]


def ignored_in(store: Store, folder: str, today: date, lookback_days: int) -> list[Ignored]:
    """What a run that is given no day passes over, and what of a day is not read; by one listing of all days."""
    ignored: list[Ignored] = []
    entries: dict[str, list[Entry]] = {name: [] for name in store.folders(folder)}
    for entry in store.entries(folder, hidden=True):
        name, _, rest = entry.path.removeprefix(f"{folder}/").partition("/")
        if rest:
            entries.setdefault(name, []).append(entry)
        elif not name.startswith("."):
            ignored.append(Ignored(entry.path, f"it lies in no day: move it to {folder}/day={today}/"))
    for name, inside in entries.items():
        path, day = f"{folder}/{name}", day_of(name)
        if day is None:
            ignored.append(Ignored(path, f"no day is called so: write it year first, like day={today}"))
            continue
        readable = [entry for entry in inside if _is_readable(entry)]
        if reason := _why_passed_over(readable, day, today, lookback_days):
            ignored.append(Ignored(path, reason))
        ignored += [Ignored(entry.path, "it has 0 bytes: write it again") for entry in readable if not entry.size]
        unread = [entry.path for entry in inside if not _is_readable(entry)]
        ignored += [Ignored(file, _why_unread(file.removeprefix(f"{path}/"))) for file in unread]
    return ignored


def _why_passed_over(readable: list[Entry], day: date, today: date, lookback_days: int) -> str:
    if not readable:
        return f"it is empty, or holds nothing that is read ({READ})"
    if day > today:
        return "it is in the future: it is looked at when its day has come, or by --day"
    if day < today - timedelta(days=lookback_days):
        return f"it is older than the {lookback_days} days that are looked back: name it with --day"
    return ""


def _why_unread(name: str) -> str:
    if any(part.startswith((".", "_", "~$")) for part in name.split("/")):
        return "it is hidden or unfinished, by its name"
    return f"no kind that is read ({READ})"


def _is_readable(entry: Entry) -> bool:
    return is_readable_name(entry.path.partition("/day=")[2].partition("/")[2])
