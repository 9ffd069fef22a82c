"""Tell a person when a run has failed or a schedule stands still: automations that call a webhook."""

from datetime import timedelta
from typing import Any

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture, ResourceSpecification

from infra.prefect.schedules import STALLED_EVENT

WEBHOOK_BLOCK = "campaign-alerts"
ANY_DEPLOYMENT = {"prefect.resource.role": "deployment", "prefect.resource.id": "prefect.deployment.*"}
# One call an hour for each run and each schedule, however often the event comes.
# An update sends no defaults, and Prefect refuses an automation without a posture.
HOURLY: dict[str, Any] = {
    "type": "event",
    "posture": Posture.Reactive,
    "for_each": {"prefect.resource.id"},
    "threshold": 1,
    "within": timedelta(hours=1),
}
ALERTS = {
    "tell when a run has failed": (
        EventTrigger(
            expect={"prefect.flow-run.Failed"},
            match_related=ResourceSpecification.model_validate(ANY_DEPLOYMENT),
            **HOURLY,
        ),
        "{{ flow.name }}/{{ deployment.name }}: run {{ flow_run.name }} has failed. {{ flow_run.state.message }}",
    ),
    "tell when a schedule stands still": (
        EventTrigger(expect={STALLED_EVENT}, **HOURLY),
        "{{ event.payload.message }}",
    ),
}


def set_alerts(client: SyncPrefectClient, url: str) -> None:
    """Make the automations call this URL with `{"text": "…"}`, as chat tools want it; without a URL there are none.

    An automation that a person has paused stays paused. One that needs no change is not touched: updating it would drop
    its open windows.
    """
    if not url:
        for name in ALERTS:
            for automation in client.read_automations_by_name(name):
                client.delete_automation(automation.id)
        return
    block = Webhook(method="POST", url=url).save(WEBHOOK_BLOCK, overwrite=True, _sync=True)  # type: ignore[call-arg]
    for name, (trigger, text) in ALERTS.items():
        payload = f'{{"text": {{% set text %}}{text}{{% endset %}}{{{{ text | tojson }}}}}}'
        action = CallWebhook(type="call-webhook", block_document_id=block, payload=payload)
        wanted = AutomationCore(name=name, trigger=trigger, actions=[action])
        existing = client.read_automations_by_name(name)
        if not existing:
            client.create_automation(wanted)
        elif _trigger_and_actions(existing[0]) != _trigger_and_actions(wanted):
            client.update_automation(existing[0].id, wanted.model_copy(update={"enabled": existing[0].enabled}))


def _trigger_and_actions(automation: AutomationCore | Automation) -> dict[str, Any]:
    return automation.model_dump(include={"trigger", "actions"})
