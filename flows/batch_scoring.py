"""Score each day's campaigns with the champion, and if that is set with the challenger in its shadow."""

from prefect import flow

from campaign.settings import Settings
from campaign.written_day import WrittenDay
from tasks.days import results_of, run_name
from tasks.memory_limit import limit_run
from tasks.scoring.score import ScoredDay, find_champion_to_score_with, find_days, score_day
from tasks.scoring.shadow import find_challenger_to_shadow
from tasks.task_runner import MAX_TASK_RUNS, ConfiguredTaskRunner


@flow(
    name="batch-scoring",
    flow_run_name=run_name,
    on_running=[limit_run],
    task_runner=ConfiguredTaskRunner(),  # type: ignore[arg-type]
)
def batch_scoring(
    day: WrittenDay | None = None, from_day: WrittenDay | None = None, to_day: WrittenDay | None = None
) -> list[ScoredDay]:
    """Score the days whose campaigns are new or changed, or those that are named.

    Args:
        day: one day, scored again by today's champion if another version did it.
        from_day: first day of a span, likewise.
        to_day: last day of the span.
    """
    days = find_days(day, from_day, to_day)
    if not days:
        return []
    champion = find_champion_to_score_with()
    challenger = find_challenger_to_shadow(champion) if Settings().shadow else None
    most = max(1, MAX_TASK_RUNS // len(days))
    return results_of([score_day(day, champion, most, challenger, return_state=True) for day in days])
