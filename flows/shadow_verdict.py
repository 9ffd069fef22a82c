"""Judge the challenger by the outcomes of the days that it scored in the shadow."""

from prefect import flow

from tasks.days import run_name
from tasks.memory_limit import limit_run
from tasks.shadow_record import ShadowVerdict
from tasks.training.shadow_verdict import judge_challenger


@flow(name="shadow-verdict", flow_run_name=run_name, on_running=[limit_run])
def shadow_verdict() -> ShadowVerdict:
    """Make the challenger champion if realised days show that it is better; gives the verdict and its reason."""
    return judge_challenger()
