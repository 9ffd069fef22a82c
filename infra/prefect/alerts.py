"""Tell a person when a run has failed or a schedule stands still: automations that call a webhook."""

from datetime import timedelta
from typing import Any

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture, ResourceSpecification

from infra.prefect.schedules import STALLED

BLOCK = "campaign-alerts"
DEPLOYED = {"prefect.resource.role": "deployment", "prefect.resource.id": "prefect.deployment.*"}
# One call an hour for each run and each schedule, however often the event comes.
# What is left to its default is not sent with an update, and an automation without a posture is refused.
OFTEN: dict[str, Any] = {
    "type": "event",
    "posture": Posture.Reactive,
    "for_each": {"prefect.resource.id"},
    "threshold": 1,
    "within": timedelta(hours=1),
}
ALERTS = {
    "tell when a run has failed": (
        EventTrigger(
            expect={"prefect.flow-run.Failed"}, match_related=ResourceSpecification.model_validate(DEPLOYED), **OFTEN
        ),
        "{{ flow.name }}/{{ deployment.name }}: run {{ flow_run.name }} has failed. {{ flow_run.state.message }}",
    ),
    "tell when a schedule stands still": (
        EventTrigger(expect={STALLED}, **OFTEN),
        "{{ event.payload.message }}",
    ),
}


def set_alerts(client: SyncPrefectClient, url: str) -> None:
    """Make the automations call this URL with `{"text": "…"}`, as chat tools want it; without a URL there are none.

    One that a person has paused stays paused. One that is as it should be is not touched: writing it anew would drop
    its open windows.
    """
    if not url:
        for name in ALERTS:
            for there in client.read_automations_by_name(name):
                client.delete_automation(there.id)
        return
    block = Webhook(method="POST", url=url).save(BLOCK, overwrite=True, _sync=True)  # type: ignore[call-arg]
    for name, (trigger, text) in ALERTS.items():
        payload = f'{{"text": {{% set text %}}{text}{{% endset %}}{{{{ text | tojson }}}}}}'
        action = CallWebhook(type="call-webhook", block_document_id=block, payload=payload)
        wanted = AutomationCore(name=name, trigger=trigger, actions=[action])
        found = client.read_automations_by_name(name)
        if not found:
            client.create_automation(wanted)
        elif _essence(found[0]) != _essence(wanted):
            client.update_automation(found[0].id, wanted.model_copy(update={"enabled": found[0].enabled}))


def _essence(automation: AutomationCore | Automation) -> dict[str, Any]:
    return automation.model_dump(include={"trigger", "actions"})
