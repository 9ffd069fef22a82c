"""Stand in for the outside world: a day of campaigns comes in, and outcomes come later."""

from datetime import date, timedelta

from prefect import flow

from tasks.days import scheduled_day
from tasks.drop import drop_day, drop_outcomes_of


@flow(name="traffic")
def traffic(
    day: date | None = None, rows: int = 10_000, drift: float = 1.0, campaigns: bool = True, outcomes: bool = False
) -> list[str]:
    """Drop synthetic campaigns into incoming/, and their outcomes into outcomes/.

    Args:
        day: the campaigns' day; the day before the run if left out.
        rows: campaigns a day.
        drift: factor on goals and amounts; 1 is the world that the published data shows.
        campaigns: drop the campaigns.
        outcomes: drop their outcomes; the same rows and drift give those of the same campaigns.
    """
    day = day or scheduled_day() - timedelta(days=1)
    dropped = []
    if campaigns:
        dropped.append(drop_day(day, rows, drift))
    if outcomes:
        dropped.append(drop_outcomes_of(day, rows, drift))
    return dropped
