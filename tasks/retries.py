"""How a task rides out an outage of the store, MLflow, a database or Prefect's API."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import deployment
from prefect.tasks import Task
from sqlalchemy.exc import InterfaceError, OperationalError

from campaign.errors import CampaignError, StoreError

LASTING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
LASTING_WORDS = ("disk is full", "readonly database", "no such table", "no such column")  # SQLite's OperationalErrors
REFUSED_WORDS = ("refused", "Couldn't connect")
TRIES_WHILE_SOMEBODY_WAITS = 2
TOO_MANY_REQUESTS = 429


def is_outage(error: BaseException) -> bool:
    """Whether what failed may work in a minute: a store, server or database that is away, not a bad file or a fault
    of this program's, nor a full disk."""
    chain = [*causes_of(error)]
    if any(isinstance(cause, OSError) and cause.errno in LASTING for cause in chain):
        return False
    if any(word in str(cause) for cause in chain for word in LASTING_WORDS):
        return False
    if isinstance(error, CampaignError):
        return isinstance(error, StoreError)
    return any(map(_may_pass, chain))


def is_refused(error: BaseException) -> bool:
    """Whether nobody listens there: unlike one that is overloaded, it will hardly be there in a moment."""
    return any(word in str(cause) for cause in causes_of(error) for word in REFUSED_WORDS)


def worth_retrying(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether another try may help. A person at a terminal is told after seconds that nobody listens."""
    error = state.result(raise_on_failure=False)
    if getattr(error, "tried_again", False) or not is_outage(error):
        return False
    return run.run_count < TRIES_WHILE_SOMEBODY_WAITS or deployment.id is not None or not is_refused(error)


@contextmanager
def tried_again_inside() -> Iterator[None]:
    """What task runs in the block have tried as often as is worth it is not tried again by the task around them."""
    try:
        yield
    except Exception as error:
        error.tried_again = True  # type: ignore[attr-defined]
        raise


def causes_of(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _may_pass(error: BaseException) -> bool:
    from mlflow.exceptions import MlflowException
    from requests.exceptions import ConnectionError as RequestsConnectionError
    from requests.exceptions import Timeout

    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    elif isinstance(error, httpx.HTTPStatusError):  # Prefect's own among them
        status = error.response.status_code
    else:
        passing = (OperationalError, InterfaceError, httpx.TransportError, RequestsConnectionError, Timeout)
        return isinstance(error, (*passing, ConnectionError))
    return status >= 500 or status == TOO_MANY_REQUESTS


# A restart of theirs takes half a minute. What passes between tasks is small; a cache of it would not be read.
RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": [1, 5, 15, 45],
    "retry_condition_fn": worth_retrying,
    "cache_policy": NO_CACHE,
}
