"""Where the pieces of a flow run: on the cluster that CAMPAIGN_DASK_SCHEDULER names, or else in this process."""

import os
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from campaign.settings import Settings

MAX_TASK_RUNS = 400  # that pieces or shares of one flow run become: more make Prefect's server the slowest part


class ConfiguredTaskRunner(ThreadPoolTaskRunner):
    """Of a flow that submits pieces: when a run starts, Prefect asks `duplicate` for the runner to use.

    So the setting is read for each run, and none when a flow is imported.
    """

    def duplicate(self) -> TaskRunner[Any]:  # type: ignore[override]
        scheduler = scheduler_address()
        if not scheduler:
            # One piece after the other: each uses all cores by itself, and two would take twice the memory.
            return ThreadPoolTaskRunner(max_workers=1)
        from prefect_dask import DaskTaskRunner

        return DaskTaskRunner(address=scheduler)


def scheduler_address() -> str:
    """The cluster's; empty without one. An .env of before the stack had certificates says tcp."""
    address = Settings().dask_scheduler
    encrypted = os.environ.get("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION") == "True"
    return address.replace("tcp://", "tls://", 1) if encrypted else address


def count_workers() -> int:
    """How many pieces run at a time: the workers of the cluster, or one."""
    scheduler = scheduler_address()
    if not scheduler:
        return 1
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))


def count_cores() -> int:
    """Threads that a piece may use. Dask starts its workers with OMP_NUM_THREADS=1, for there is one a core."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
