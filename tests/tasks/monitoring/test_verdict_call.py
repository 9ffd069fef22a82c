import logging

import pytest

from tasks.monitoring import verdict_call
from tasks.monitoring.verdict_call import call_for_verdict


@pytest.mark.parametrize("due", [True, False])
def test_the_event_that_starts_the_verdict_is_sent_when_one_is_due(monkeypatch, due):
    sent: list[tuple] = []
    for name, instead in {
        "is_verdict_due": lambda: due,
        "emit_event": lambda *given: sent.append(given),
        "get_run_logger": lambda: logging.getLogger("verdict"),
        "served_model": lambda: "m",
    }.items():
        monkeypatch.setattr(verdict_call, name, instead)
    assert call_for_verdict.fn() is due
    assert sent == [("campaign.verdict.needed", {"prefect.resource.id": "campaign.model.m"})] * due
