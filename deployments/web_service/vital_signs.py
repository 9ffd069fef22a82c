"""What each worker says of itself while it runs: its memory, how late its event loop is, whether it has a model."""

import asyncio
import resource
from collections import deque
from os import sysconf
from pathlib import Path

from deployments.web_service import prometheus
from deployments.web_service.service import Service

EVERY_SECONDS = 0.5
REMEMBERED = 60  # delays: half a minute, so that two scrapes see each of them


async def show_vital_signs(service: Service) -> None:
    """Until it is cancelled."""
    loop = asyncio.get_running_loop()
    delays = deque([0.0], maxlen=REMEMBERED)
    while True:
        prometheus.ready.set(service.rotation.live is not None)
        prometheus.waiting.set(service.capture.rows_waiting)
        prometheus.memory.set(resident_bytes("self") + resident_bytes(service.parquet.pid))
        prometheus.loop_lag.set(max(delays))
        due = loop.time() + EVERY_SECONDS
        await asyncio.sleep(EVERY_SECONDS)
        delays.append(max(0.0, loop.time() - due))


def resident_bytes(process: str | int | None) -> int:
    """Of a process on Linux, 0 for one that has ended; elsewhere the most that this one ever had."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if process == "self" else 0
