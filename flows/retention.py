"""Delete what is older than the settings say it is kept."""

from prefect import flow

from tasks.days import run_name
from tasks.memory_limit import limit_run
from tasks.monitoring.retention import delete_expired


@flow(name="retention", flow_run_name=run_name, on_running=[limit_run])
def retention() -> dict[str, int]:
    """Delete the days, bad rows and versions that have expired; gives how many of each."""
    return delete_expired()
