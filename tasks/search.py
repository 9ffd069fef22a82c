"""Search the parameters of a forest with Optuna, every trial a run in MLflow."""

import os
import socket
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, TrialState
from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from campaign.settings import Settings
from tasks.encode import Parts
from tasks.grow import Examples, Grown, Size, grow
from tasks.patience import PATIENT
from tasks.search_space import first_guesses, suggest
from tasks.track import Run, client, experiment_id, reporting_to

COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
HEARTBEAT_SECONDS, GRACE_SECONDS = 10, 120
UNSIGNED = timedelta(seconds=5)
MOST_RETRIES = 3  # a trial that takes its process with it, by its memory, must not do so for ever


@dataclass(frozen=True)
class Searched:
    """`trials` counts finished and pruned ones, `reused` those of them that an earlier run had made."""

    study: str
    seed: int
    trials: int
    reused: int
    cpu_seconds: float
    cpu_seconds_saved: float


def examples_of(parts: Parts) -> Examples:
    """What the search fits on and chooses by. The test part is not among it."""
    train, validation = parts.matrix("train"), parts.matrix("validation")
    return Examples(train, parts.labels("train"), validation, parts.labels("validation"))


def open_study(name: str, url: str, seed: int, features: int) -> optuna.Study:
    """The study of that name, taken up where it was left: trials that died running are queued again, a few times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats have been experimental since 2021
        queue_again = RetryHeartbeatStaleTrialCallback(max_retry=MOST_RETRIES)
        storage = RDBStorage(
            url,
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=queue_again,
        )
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )
    # Seeded by what is there already, or a study that is taken up would draw its first points again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=8)
    for guess in first_guesses(features):
        study.enqueue_trial(dict(guess), skip_if_exists=True)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if not _died_here(trial):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):  # another process took it up
            continue
        trial.user_attrs.pop("worker", None)  # until its next worker signs, it would seem dead again
        queue_again(study, trial)
    return study


def run_trials(
    study: optuna.Study, examples: Examples, total: int, seed: int, done: Callable[[FrozenTrial], None]
) -> None:
    """Trials until `total` are finished or pruned, by whomever. `done` hears of each."""

    def objective(trial: optuna.Trial) -> float:
        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")

        def stop(stage: int, value: float) -> bool:
            trial.report(value, stage)
            return trial.should_prune()

        grown = grow(suggest(trial, examples.train.shape[1]), examples, seed + trial.number, stop)
        trial.set_user_attr("grown", asdict(grown))
        if grown.stopped:
            raise optuna.TrialPruned
        return grown.sizes[-1].roc_auc

    left = total - len(study.get_trials(deepcopy=False, states=COUNTED))
    if left <= 0:
        return
    study.optimize(objective, callbacks=[MaxTrialsCallback(total, states=COUNTED), lambda _, trial: done(trial)])


def grown_of(trial: FrozenTrial) -> Grown:
    """What a counted trial left behind."""
    stored = dict(trial.user_attrs["grown"])
    return Grown(sizes=[Size(**size) for size in stored.pop("sizes")], **stored)


def _died_here(trial: FrozenTrial) -> bool:
    """Whether the process that ran a trial is gone. One on another machine is judged by its heartbeat."""
    host, _, pid = trial.user_attrs.get("worker", "").rpartition(":")
    if not host:  # a worker signs a trial as soon as it has begun it
        return datetime.now() - (trial.datetime_start or datetime.min) > UNSIGNED
    if host != socket.gethostname() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def log_trial(connected: Any, experiment: str, run: Run, trial: FrozenTrial) -> None:
    """A trial as a nested MLflow run, so that MLflow's own views compare them."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    grown = grown_of(trial)
    started, ended = (int(moment.timestamp() * 1000) for moment in (trial.datetime_start, trial.datetime_complete))
    tags = {MLFLOW_PARENT_RUN_ID: run.run_id, "study": run.study, "step": "trial", "trial": str(trial.number)}
    logged = connected.create_run(experiment, started, tags, run_name=f"trial-{trial.number:03d}")
    values = {"cpu_seconds": grown.cpu_seconds, "duration_seconds": (ended - started) / 1000}
    if grown.sizes:
        last = grown.sizes[-1]
        values |= {"validation_roc_auc": last.roc_auc, "validation_log_loss": last.log_loss, "scoring_cost": last.cost}
    metrics = [Metric(name, value, ended, 0) for name, value in values.items()]
    metrics += [Metric("prefix_roc_auc", size.roc_auc, ended, size.trees) for size in grown.sizes]
    params = [Param(name, str(value)) for name, value in trial.params.items()]
    connected.log_batch(logged.info.run_id, metrics, params, [RunTag("state", trial.state.name)])
    connected.set_terminated(logged.info.run_id, "FINISHED", ended)


def log_missing(connected: Any, experiment: str, run: Run, trials: list[FrozenTrial]) -> None:
    """Log the trials that a search finished and was killed before it could log."""
    nested = f"tags.mlflow.parentRunId = '{run.run_id}' and tags.step = 'trial'"
    logged = {found.data.tags["trial"] for found in connected.search_runs([experiment], nested, max_results=10_000)}
    for trial in trials:
        if str(trial.number) not in logged:
            log_trial(connected, experiment, run, trial)


def log_study(study: optuna.Study) -> None:
    """History, importances and parallel coordinates, as pages in the active MLflow run."""
    import mlflow
    from optuna import visualization

    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < 2:
        return
    plots: dict[str, Callable[[optuna.Study], Any]] = {
        "history": visualization.plot_optimization_history,
        "importances": visualization.plot_param_importances,
        "parallel_coordinates": visualization.plot_parallel_coordinate,
    }
    for name, plot in plots.items():
        try:
            figure = plot(study)
        except (RuntimeError, ValueError):  # importances need trials that differ
            continue
        mlflow.log_text(figure.to_html(include_plotlyjs="cdn"), f"search/{name}.html")


@task(timeout_seconds=6 * 3600, **PATIENT)
def search(parts: Parts, run: Run, trials: int, seed: int) -> Searched:
    """Bring the study to `trials` finished or pruned trials; what an earlier run made counts."""
    logger, settings = get_run_logger(), Settings()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    Path(settings.home).mkdir(parents=True, exist_ok=True)
    examples = examples_of(parts)
    study = open_study(run.study, settings.optuna_url, seed, examples.train.shape[1])
    there = study.get_trials(deepcopy=False, states=COUNTED)
    reused = len(there)
    logger.info("Study %s: %d of %d trials are there", run.study, reused, trials)
    connected = client()
    experiment = experiment_id(connected, run.model)
    log_missing(connected, experiment, run, there)
    progress: Any = create_progress_artifact(min(100.0, 100 * reused / trials), "search-progress", f"Study {run.study}")
    count, started = reused, time.monotonic()

    def done(trial: FrozenTrial) -> None:
        nonlocal count
        if trial.state not in COUNTED:
            return
        count += 1
        log_trial(connected, experiment, run, trial)
        update_progress_artifact(progress, min(100.0, 100 * count / trials))
        best = max((t.value for t in study.get_trials(False, (TrialState.COMPLETE,)) if t.value is not None), default=0)
        logger.info("Trial %d of %d, %.0f s: best ROC-AUC %.5f", count, trials, time.monotonic() - started, best)

    run_trials(study, examples, trials, seed, done)
    counted = study.get_trials(deepcopy=False, states=COUNTED)
    grown = [grown_of(trial) for trial in counted]
    spent, saved = sum(one.cpu_seconds for one in grown), sum(one.cpu_seconds_saved for one in grown)
    pruned = sum(one.stopped for one in grown)
    logger.info("%d trials, %d pruned: %.0f CPU s spent, about %.0f saved by pruning", len(grown), pruned, spent, saved)
    with reporting_to(run):
        log_study(study)
    create_table_artifact(_table(counted), "search-trials", "The ten best trials")
    return Searched(run.study, seed, len(counted), min(reused, len(counted)), spent, saved)


def _table(trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    finished = [trial for trial in trials if trial.value is not None and trial.state == TrialState.COMPLETE]
    best = sorted(finished, key=lambda trial: -(trial.value or 0))[:10]
    return [{"trial": trial.number, "validation_roc_auc": round(trial.value or 0, 5), **trial.params} for trial in best]
