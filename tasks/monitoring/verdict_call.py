"""Call for a verdict on the challenger when outcomes were measured in the shadow."""

from prefect import get_run_logger, task
from prefect.events import emit_event

from campaign.schema_file import served_model
from tasks.retries import RETRIES
from tasks.shadow_record import is_verdict_due

EVENT = "campaign.verdict.needed"


@task(timeout_seconds=60, **RETRIES)
def call_for_verdict() -> bool:
    """Emit the event that starts the verdict, if there is something to judge that the last one had not seen."""
    due = is_verdict_due()
    if due:
        emit_event(EVENT, {"prefect.resource.id": f"campaign.model.{served_model()}"})
        get_run_logger().info("Called for a verdict on the challenger")
    return due
