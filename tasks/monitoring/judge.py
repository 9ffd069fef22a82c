"""Judge quality where outcomes trickle in: days are put together until enough outcomes that nobody judged have come."""

from __future__ import annotations

from dataclasses import replace

from prefect import get_run_logger, task

from campaign.errors import CampaignError
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from tasks.days import scheduled_day
from tasks.metrics_database import database
from tasks.monitoring.metric_rows import MetricRow, day_state_row, read_metrics, write_day_state, write_metrics
from tasks.monitoring.monitor import BATCH
from tasks.monitoring.outcome_days import OutcomeDay, next_windows, read_outcome_days, write_outcome_day
from tasks.monitoring.quality import OF_DECAY, ScoringVersion, decay_rows, label_days
from tasks.retries import RETRIES


def judge_window(store: Store, window: list[OutcomeDay], version: ScoringVersion, settings: Settings) -> str:
    """Write the verdict beside the newest day of a window, whose state it gives; the others know if quality held."""
    verdict = decay_rows(label_days(store, window, version), len(window), version, settings)
    last, number = window[-1].day, version.model.version
    with database().begin() as connection:
        kept = [row for row in read_metrics(connection, last, BATCH, number) if not _is_verdict(row)]
        state = day_state_row([*kept, *verdict])
        write_metrics(connection, last, BATCH, {number: [*kept, *verdict, state]})
        for day in window:
            write_outcome_day(connection, replace(day, judged_until=last))
        for day in window[:-1]:
            if rows := read_metrics(connection, day.day, BATCH, number):
                write_day_state(connection, day.day, BATCH, number, day_state_row(rows, verdict))
    return state.status


def _is_verdict(row: MetricRow) -> bool:
    return row.metric == "day_state" or row.metric.startswith("judged_") or row.column_name == OF_DECAY


def full_windows(settings: Settings) -> dict[str, list[list[OutcomeDay]]]:
    """Days that now have enough outcomes together and were not judged, of each version that scored some."""
    with database().connect() as connection:
        days = read_outcome_days(connection)
    windows = {
        number: next_windows((day for day in days if day.model_version == number), scheduled_day(), settings)
        for number in dict.fromkeys(day.model_version for day in days)
    }
    return {number: full for number, full in windows.items() if full}


@task(timeout_seconds=3600, **RETRIES)
def judge_waiting_days() -> dict[str, str]:
    """The state of the newest day of each window that has become full, of every version that scored days."""
    store, settings, logger, states = Store(Settings().store), Settings(), get_run_logger(), {}
    for number, windows in full_windows(settings).items():
        try:
            version = ScoringVersion.find(served_model(), number)
        except CampaignError as error:  # deleted since
            logger.warning("The outcomes of version %s are not judged: %s", number, error)
            continue
        for window in windows:
            last = window[-1].day
            states[str(last)] = judge_window(store, window, version, settings)
            logger.info("Outcomes of %d days up to %s judged: %s", len(window), last, states[str(last)])
    return states
