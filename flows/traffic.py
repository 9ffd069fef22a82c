"""Stand in for the outside world: a day of campaigns comes in, and outcomes come later."""

import math
from datetime import timedelta

from prefect import flow

from campaign.errors import BadInput
from campaign.written_day import WrittenDay
from tasks.days import run_name, scheduled_day
from tasks.synthetic_days import lacks_outcomes, publish_campaigns, publish_outcomes


@flow(name="traffic", flow_run_name=run_name)
def traffic(
    day: WrittenDay | None = None,
    rows: int = 10_000,
    drift: float = 1.0,
    campaigns: bool = True,
    outcomes: bool = False,
    outcomes_after_days: int = 3,
) -> list[str]:
    """Drop synthetic campaigns into incoming/, and their outcomes into outcomes/.

    Args:
        day: the campaigns' day; the day before the run if left out, and then outcomes come too, of an earlier day.
        rows: campaigns a day.
        drift: factor on goals and amounts; 1 is the world that the published data shows.
        campaigns: drop the campaigns.
        outcomes: drop their outcomes; the same rows and drift give those of the same campaigns.
        outcomes_after_days: how much later outcomes come, when no day is named.
    """
    if rows < 1:
        raise BadInput(f"{rows} campaigns a day are none.", "Say --rows 1 or more.")
    if not 0 < drift < math.inf:
        raise BadInput(f"Goals and amounts cannot be {drift:g} times as large.", "Say a --drift above 0.")
    dropped = []
    if day is None:
        day = scheduled_day() - timedelta(days=1)
        if lacks_outcomes(day - timedelta(days=outcomes_after_days)):
            dropped.append(publish_outcomes(day - timedelta(days=outcomes_after_days), rows, drift))
    if campaigns:
        dropped.append(publish_campaigns(day, rows, drift))
    if outcomes:
        dropped.append(publish_outcomes(day, rows, drift))
    return dropped
