"""What has come by a moment, written where the outside world would write it: nothing of later is in any file."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from campaign.store import Store
from tasks.replay.history import History, Mask, days_of
from tasks.replay.periods import Period, midnight

BASE = "base/campaigns.parquet"


def write_beginning(store: Store, history: History, first: Period) -> int:
    """What had ended before the first period as the data to begin with, and what was running; gives the former's rows.

    What was running is not scored, for its launch is over, and is learnt from once it has ended.
    """
    moment = midnight(first.first).timestamp()
    known = history.ended < moment
    _write(store, BASE, history.rows.filter(pa.array(known)))
    _write_launched(store, history, (history.launched < moment) & ~known & np.isfinite(history.ended))
    return int(known.sum())


def write_arrivals(store: Store, history: History, period: Period) -> None:
    """The campaigns that a period launched, a file a day, and the outcomes that it brought, by day of launch."""
    begin, end = midnight(period.first).timestamp(), period.moment.timestamp()
    _write_launched(store, history, (history.launched >= begin) & (history.launched < end))
    ended = (history.ended >= begin) & (history.ended < end)
    outcomes = history.rows.select(list(history.of_outcome))
    for day, rows in _by_day(history, ended):
        _write(store, f"outcomes/day={day}/until-{period.end}.parquet", outcomes.take(rows))


def _write_launched(store: Store, history: History, launched: Mask) -> None:
    campaigns = history.rows.select(list(history.at_launch))
    for day, rows in _by_day(history, launched):
        _write(store, f"incoming/day={day}/campaigns.parquet", campaigns.take(rows))


def _by_day(history: History, chosen: Mask) -> list[tuple[str, pa.Array]]:
    places = np.flatnonzero(chosen)
    days = days_of(history.launched[places])
    return [(str(day), pa.array(places[days == day])) for day in np.unique(days)]


def _write(store: Store, path: str, table: pa.Table) -> None:
    if store.exists(path):  # a replay that was killed had got that far
        return
    with store.writing(path) as sink:
        pq.write_table(table, sink, compression="zstd")
