import pytest
from prefect.task_runners import ThreadPoolTaskRunner
from prefect_dask import DaskTaskRunner

from flows.batch_scoring import batch_scoring
from flows.training import training
from tasks.task_runner import scheduler_address


@pytest.mark.parametrize("flow", [training, batch_scoring])
def test_a_run_takes_the_runner_that_is_configured_when_it_starts(flow, monkeypatch):
    """Prefect asks the flow's runner for a duplicate at each start: a flow that was imported before follows."""
    monkeypatch.delenv("CAMPAIGN_DASK_SCHEDULER", raising=False)
    here = flow.task_runner.duplicate()
    assert type(here) is ThreadPoolTaskRunner
    assert here._max_workers == 1  # each piece takes all cores and much memory
    monkeypatch.setenv("CAMPAIGN_DASK_SCHEDULER", "tcp://127.0.0.1:1")
    assert isinstance(flow.task_runner.duplicate(), DaskTaskRunner)
    monkeypatch.setenv("CAMPAIGN_DASK_SCHEDULER", "")
    assert type(flow.task_runner.duplicate()) is ThreadPoolTaskRunner


def test_an_address_of_before_there_were_certificates_goes_on(monkeypatch):
    monkeypatch.setenv("CAMPAIGN_DASK_SCHEDULER", "tcp://dask-scheduler:8786")
    assert scheduler_address() == "tcp://dask-scheduler:8786"
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "True")
    assert scheduler_address() == "tls://dask-scheduler:8786"
