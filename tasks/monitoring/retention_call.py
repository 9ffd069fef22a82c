"""Call for retention when something is older than it is kept."""

from prefect import get_run_logger, task
from prefect.events import emit_event

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from tasks.days import scheduled_day
from tasks.monitoring.retention import find_expired
from tasks.retries import RETRIES

EVENT = "campaign.retention.needed"


@task(timeout_seconds=300, **RETRIES)
def call_for_retention() -> dict[str, int]:
    """Emit the event that starts the retention, if something has expired; gives how many days, files and versions."""
    settings = Settings()
    expired = find_expired(Store(settings.store), settings, scheduled_day()).counts()
    if expired:
        emit_event(EVENT, {"prefect.resource.id": f"campaign.model.{served_model()}"}, payload={"expired": expired})
        counts = ", ".join(f"{count} {what}" for what, count in expired.items())
        get_run_logger().info("Called for retention of: %s", counts)
    return expired
