"""How a task rides out an outage of the store, MLflow or a database."""

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from campaign.errors import CampaignError, StoreError


def worth_retrying(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether another try may help: a store that was away may come back, a bad file stays bad."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StoreError) or not isinstance(error, CampaignError)


# A restart of theirs takes half a minute. What passes between tasks is small; a cache of it would not be read.
RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": [1, 5, 15, 45],
    "retry_condition_fn": worth_retrying,
    "cache_policy": NO_CACHE,
}
