"""Search the parameters of a forest with Optuna, every trial a run in MLflow."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from prefect import get_run_logger, task, unmapped
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from campaign.errors import BadInput
from campaign.settings import Settings
from campaign.store import Store
from tasks.mlflow_run import Run, find_or_create_experiment, mlflow_client, reporting_to
from tasks.progress import report
from tasks.retries import RETRIES, tried_again_inside
from tasks.task_runner import MAX_TASK_RUNS, count_workers
from tasks.training.encode import Parts
from tasks.training.examples import examples_of, load_examples, publish_examples
from tasks.training.study import COUNTED, Share, grown_of, open_study, place_of, run_trials, shares_of
from tasks.training.study_page import study_page

PROGRESS_SECONDS = 2  # a trial may take less than a call to Prefect
TRIAL_TAG = "optuna_number"  # from 0; people see trials counted from 1


@dataclass(frozen=True)
class Searched:
    """`trials` counts finished and pruned ones, `reused` those of them that an earlier run had made.

    `rows` is how many each trial was fitted on.
    """

    study: str
    seed: int
    trials: int
    reused: int
    cpu_seconds: float
    cpu_seconds_saved: float
    rows: int


def log_trial(client: Any, experiment: str, run: Run, trial: FrozenTrial) -> None:
    """A trial as a nested MLflow run, so that MLflow's own views compare them."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    grown = grown_of(trial)
    started, ended = (int(moment.timestamp() * 1000) for moment in (trial.datetime_start, trial.datetime_complete))
    tags = {MLFLOW_PARENT_RUN_ID: run.run_id, "study": run.study, "step": "trial", TRIAL_TAG: str(trial.number)}
    logged = client.create_run(experiment, started, tags, run_name=f"trial-{place_of(trial):03d}")
    values = {"cpu_seconds": grown.cpu_seconds, "duration_seconds": (ended - started) / 1000}
    if grown.sizes:
        last = grown.sizes[-1]
        values |= {"validation_roc_auc": last.roc_auc, "validation_log_loss": last.log_loss, "scoring_cost": last.cost}
    metrics = [Metric(name, value, ended, 0) for name, value in values.items()]
    metrics += [Metric("prefix_roc_auc", size.roc_auc, ended, size.trees) for size in grown.sizes]
    metrics += [Metric("prefix_log_loss", size.log_loss, ended, size.trees) for size in grown.sizes]
    params = [Param(name, str(value)) for name, value in trial.params.items()]
    client.log_batch(logged.info.run_id, metrics, params, [RunTag("state", trial.state.name)])
    client.set_terminated(logged.info.run_id, "FINISHED", ended)


def log_missing(client: Any, experiment: str, run: Run, trials: list[FrozenTrial]) -> None:
    """Log the trials that a search finished and was killed before it could log."""
    nested = f"tags.mlflow.parentRunId = '{run.run_id}' and tags.step = 'trial'"
    runs = client.search_runs([experiment], nested, max_results=10_000)
    logged = {run.data.tags.get(TRIAL_TAG) or run.data.tags["trial"] for run in runs}  # "trial": its name before
    for trial in trials:
        if str(trial.number) not in logged:
            log_trial(client, experiment, run, trial)


@task(name="search", timeout_seconds=6 * 3600, **RETRIES)
def search(parts: Parts, run: Run, trials: int, seed: int) -> Searched:
    """Bring the study to `trials` finished or pruned trials; what an earlier run made counts."""
    import mlflow

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # what it says of a study and a trial is said here
    logger, settings, store = get_run_logger(), Settings(), Store(Settings().store)
    Path(settings.home).mkdir(parents=True, exist_ok=True)
    examples = examples_of(parts)
    study = open_study(run.study, settings.optuna_url, seed, examples.knows_time)
    existing = study.get_trials(deepcopy=False, states=COUNTED)
    reused, rows, train_rows = len(existing), len(examples.fitted.y), len(parts.labels("train"))
    logger.info("Study %s: %d of %d trials are there", run.study, reused, trials)
    report("trials", reused, trials)
    if examples.by_time:
        logger.info("Trials are fitted on %d rows, and judged on %d later ones", rows, len(examples.judged.y))
    elif rows < train_rows:
        logger.info("Trials are fitted on an even sample of %d of %d rows", rows, train_rows)
    client = mlflow_client()
    log_missing(client, find_or_create_experiment(client, run.model), run, existing)
    progress: Any = create_progress_artifact(min(100.0, 100 * reused / trials), "search-progress", f"Study {run.study}")
    if shares := shares_of(reused, trials, count_workers(), MAX_TASK_RUNS):
        _refuse_sqlite(settings.optuna_url, count_workers())
        examples_path = f"search/{run.study}.npz"
        publish_examples(examples, store, examples_path)
        same_for_all = (store.uri, examples_path, run, trials, seed, progress, time.time())
        with tried_again_inside():
            search_share.map(shares, *map(unmapped, same_for_all)).result()
        store.delete(examples_path)
    counted = study.get_trials(deepcopy=False, states=COUNTED)
    grown = [grown_of(trial) for trial in counted]
    spent, saved = sum(trial.cpu_seconds for trial in grown), sum(trial.cpu_seconds_saved for trial in grown)
    pruned = sum(trial.stopped for trial in grown)
    logger.info("%d trials, %d pruned: %.0f CPU s spent, about %.0f saved by pruning", len(grown), pruned, spent, saved)
    with reporting_to(run):
        if page := study_page(study):
            mlflow.log_text(page, "search/study.html")
    create_table_artifact(_best_trials(counted), "search-trials", "The ten best trials")
    return Searched(run.study, seed, len(counted), min(reused, len(counted)), spent, saved, rows)


@task(name="search share", task_run_name="trials {share.name}", **RETRIES)
def search_share(
    share: Share, store: str, examples_path: str, run: Run, trials: int, seed: int, progress: Any, since: float
) -> None:
    """Make the trials of one share, wherever this runs, and log each. `since`: Unix seconds of the search's start."""
    logger, settings = get_run_logger(), Settings()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    examples = load_examples(Store(store), examples_path)
    study = open_study(run.study, settings.optuna_url, seed + 1000 * share.number, examples.knows_time)
    client, updated = mlflow_client(), time.monotonic()
    experiment = find_or_create_experiment(client, run.model)

    def log_and_report(trial: FrozenTrial) -> None:
        nonlocal updated
        if trial.state not in COUNTED:
            return
        log_trial(client, experiment, run, trial)
        counted = study.get_trials(False, COUNTED)
        done = min(len(counted), trials)  # another training may add trials to the same study
        if time.monotonic() - updated > PROGRESS_SECONDS or done == trials:
            update_progress_artifact(progress, 100 * done / trials)
            updated = time.monotonic()
        best = min((t.value for t in counted if t.state == TrialState.COMPLETE and t.value is not None), default=np.nan)
        logger.info(
            "Trial %d has ended, %d of %d, after %.0f s: least log loss %.5f",
            place_of(trial), done, trials, time.time() - since, best,
        )  # fmt: skip
        report("trials", done, trials, f"least log loss {best:.5f}")

    run_trials(study, examples, share, trials, seed, log_and_report)


def _refuse_sqlite(url: str, workers: int) -> None:
    if workers > 1 and url.startswith("sqlite"):
        raise BadInput(
            f"The search is spread over {workers} workers, and its study is in SQLite ({url}).",
            "Set CAMPAIGN_OPTUNA_URL to a Postgres that all of them reach, or unset CAMPAIGN_DASK_SCHEDULER.",
        )


def _best_trials(trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    finished = [trial for trial in trials if trial.value is not None and trial.state == TrialState.COMPLETE]
    best = sorted(finished, key=lambda trial: trial.value or 0)[:10]
    return [{"trial": place_of(trial), "log_loss": round(trial.value or 0, 5), **trial.params} for trial in best]
