"""A run's memory, bounded by what its container has: what asks for more gets an error that names the file, and the
other days go on, instead of an end by the kernel."""

import resource
from pathlib import Path
from typing import Any

CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
OTHERS = 512 << 20  # bytes for the worker that started the run
LEAST = 512 << 20
UNLIMITED = 1 << 50  # what version 1 of control groups writes is beyond any memory


def container_limit() -> int | None:
    """Bytes that the container may have; None outside of one, and in one without a limit."""
    for file in CONTAINER_LIMITS:
        if file.exists():
            limit = file.read_text().strip()
            return int(limit) if limit.isdigit() and int(limit) < UNLIMITED else None
    return None


def limit_memory() -> None:
    """Bound this process, if its container is."""
    limit = container_limit()
    if limit is None:
        return
    wanted, (_, most) = max(limit - OTHERS, LEAST), resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def limit_run(flow: Any, flow_run: Any, state: Any) -> None:
    """A hook of a flow that begins: a run of a deployment has a process of its own."""
    if flow_run.deployment_id is not None:
        limit_memory()


def dask_setup(_worker: Any) -> None:
    """What a worker of Dask does when it starts: `--preload tasks.memory_limit`."""
    limit_memory()
