import errno
import importlib
from pkgutil import walk_packages
from types import ModuleType

import httpx
import pytest
from mlflow.exceptions import MlflowException, RestException
from prefect import Task, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed
from requests.exceptions import ConnectionError as RequestsConnectionError
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

import tasks
from campaign.errors import BadInput, StoreError
from tasks.retries import RETRIES, is_outage, tried_again_inside, worth_retrying


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://prefect/api")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(status, request=request))


AWAY, FULL = ConnectionError("reset by peer"), OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StoreError("The store is away.", "Wait."), True),
        (OperationalError("SELECT 1", {}, AWAY), True),
        (AWAY, True),
        (RequestsConnectionError("reset"), True),
        (httpx.ConnectTimeout("slow"), True),
        (caused_by(RuntimeError("Failed to reach API"), httpx.ConnectError("refused")), True),
        (answered(503), True),
        (RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy"}), True),
        (MlflowException("API request to http://mlflow failed with exception"), True),
        (BadInput("The file is damaged.", "Write it again."), False),
        (caused_by(BadInput("It cannot be downloaded.", "Look at it."), AWAY), False),
        (caused_by(StoreError("Cannot write.", "Free space."), FULL), False),
        (FULL, False),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), False),
        (OperationalError("SELECT", {}, Exception("no such table: metrics")), False),
        (ProgrammingError("SELECT", {}, Exception("syntax")), False),
        (IntegrityError("INSERT", {}, Exception("twice")), False),
        (answered(404), False),
        (RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"}), False),
        (TypeError("a fault of the program"), False),
        (ValueError("another"), False),
    ],
)
def test_an_outage_may_pass_and_nothing_else(error, expected):
    assert is_outage(error) is expected


class Tried:
    def __init__(self, times: int) -> None:
        self.run_count = times


@pytest.mark.parametrize(
    ("message", "times", "deployment", "expected"),
    [
        ("Connection refused", 1, None, True),
        ("Connection refused", 2, None, False),
        ("Connection refused", 2, "training/weekly", True),
        ("Connection reset", 2, None, True),
    ],
)
def test_who_waits_at_a_terminal_is_told_soon_that_nobody_listens(monkeypatch, message, times, deployment, expected):
    monkeypatch.setattr("tasks.retries.deployment.id", deployment, raising=False)
    error = StoreError(f"Cannot read: {message}.", "Start it.")
    assert worth_retrying(None, Tried(times), Failed(data=error)) is expected


def tasks_of(package: ModuleType) -> dict[str, Task]:
    """Every task that a module of the package defines, by its place."""
    modules = [importlib.import_module(found.name) for found in walk_packages(package.__path__, f"{package.__name__}.")]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Task) and value.fn.__module__ == module.__name__
    }


def tries_of(task: Task) -> tuple[object, ...]:
    return task.retries, task.retry_delay_seconds, task.retry_condition_fn


def test_every_task_but_those_that_reach_nothing_beyond_this_machine_rides_out_a_restart():
    found = tasks_of(tasks)
    assert {"tasks.scoring.score.score_day", "tasks.scoring.score.score_pieces"} < found.keys()
    local = {"tasks.training.encode.encode", "tasks.training.split.split"}
    rides_out = {
        name
        for name, task in found.items()
        if tries_of(task) == (RETRIES["retries"], RETRIES["retry_delay_seconds"], worth_retrying)
    }
    assert sum(RETRIES["retry_delay_seconds"]) > 30  # a restart takes half a minute
    assert len(RETRIES["retry_delay_seconds"]) == RETRIES["retries"]
    assert found.keys() - rides_out == local
    # What passes between tasks is small, and a result kept from a run before would be of other data.
    assert all(task.cache_policy == NO_CACHE for task in found.values())


def test_tries_of_tasks_in_tasks_do_not_multiply(prefect_api):
    tried = {"inner": 0, "outer": 0}
    quickly = RETRIES | {"retry_delay_seconds": 0}

    @task(**quickly)
    def inner() -> None:
        tried["inner"] += 1
        raise StoreError("Away.", "Wait.")

    @task(**quickly)
    def outer() -> None:
        tried["outer"] += 1
        with tried_again_inside():
            inner.submit().result()

    @flow
    def both() -> None:
        outer()

    state = both(return_state=True)
    assert state.is_failed()
    assert tried == {"inner": 5, "outer": 1}
