import optuna
import pytest

from campaign.errors import BadInput
from campaign.settings import Settings
from tasks.mlflow_run import Run, find_or_create_experiment, mlflow_client
from tasks.training.search import _best_trials, _refuse_sqlite, log_missing
from tasks.training.study import COUNTED


def finished(study: optuna.Study, value: float, stopped: bool = False) -> None:
    trial = study.ask({"min_samples_leaf": optuna.distributions.IntDistribution(1, 9)})
    sizes = [
        {"trees": 1, "roc_auc": 0.5, "log_loss": 2 * value, "cost": 3.0},
        {"trees": 4, "roc_auc": 1 - value, "log_loss": value, "cost": 9.0},
    ]
    trial.set_user_attr(
        "grown", {"sizes": [] if stopped else sizes, "cpu_seconds": 1.5, "cpu_seconds_saved": 0.5, "stopped": stopped}
    )
    study.tell(trial, None if stopped else value, optuna.trial.TrialState.PRUNED if stopped else None)


@pytest.fixture
def study() -> optuna.Study:
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
    for value in (0.3, 0.1, 0.2):
        finished(study, value)
    finished(study, 0.5, stopped=True)
    return study


def test_every_counted_trial_is_a_nested_run_once_also_those_of_a_search_that_was_killed(own_home, study):
    own_home.mkdir()
    client = mlflow_client()
    experiment = find_or_create_experiment(client, "m")
    run = Run(client.create_run(experiment).info.run_id, "study", "m")
    for _ in range(2):
        log_missing(client, experiment, run, study.get_trials(states=COUNTED))
    nested = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run.run_id}'")
    assert sorted(trial.info.run_name for trial in nested) == ["trial-001", "trial-002", "trial-003", "trial-004"]
    by_name = {trial.info.run_name: trial.data for trial in nested}
    assert by_name["trial-002"].metrics["validation_roc_auc"] == 0.9
    assert by_name["trial-002"].metrics["validation_log_loss"] == 0.1
    assert by_name["trial-002"].params["min_samples_leaf"] == str(study.trials[1].params["min_samples_leaf"])
    assert by_name["trial-004"].tags["state"] == "PRUNED"
    assert [m.step for m in client.get_metric_history(nested[0].info.run_id, "prefix_roc_auc")] in ([1, 4], [])


def test_the_best_trials_come_first_and_pruned_ones_not_at_all(study):
    assert [trial["log_loss"] for trial in _best_trials(study.trials)] == [0.1, 0.2, 0.3]


def test_a_search_of_several_workers_does_not_share_a_file(own_home):
    _refuse_sqlite(Settings().optuna_url, workers=1)
    _refuse_sqlite("postgresql://optuna", workers=3)
    with pytest.raises(BadInput, match=r"3 workers, and its study is in SQLite .*CAMPAIGN_OPTUNA_URL"):
        _refuse_sqlite(Settings().optuna_url, workers=3)
