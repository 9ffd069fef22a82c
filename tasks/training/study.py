"""An Optuna study of forests that any number of processes bring to a number of trials, some of which may die."""

import os
import socket
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import NullPool

from tasks.training.examples import Examples
from tasks.training.grow import Grown, Size, grow
from tasks.training.search_space import first_guesses, suggest

COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
HEARTBEAT_SECONDS, GRACE_SECONDS = 10, 120
UNSIGNED_FOR = timedelta(seconds=5)
MAX_RETRIES = 3  # a trial that takes its process with it, by its memory, must not do so for ever
SHARE_TRIALS = 5


@dataclass(frozen=True)
class Share:
    """Some of the trials that a study lacks. Its name stands in each, so that a share that is repeated goes on."""

    name: str
    number: int
    trials: int


def shares_of(existing: int, total: int, workers: int, most: int) -> list[Share]:
    """What is missing in shares of a few trials: one for each worker at least, and at most `most`.

    One worker alone has it all in one: each share prepares its rows anew.
    """
    missing = max(0, total - existing)
    few = SHARE_TRIALS if workers > 1 else missing
    size = max(1, min(few, missing // workers), -(-missing // most))
    return [
        Share(f"{existing}+{start}", number, min(size, missing - start))
        for number, start in enumerate(range(0, missing, size))
    ]


def open_study(name: str, url: str, seed: int, knows_time: bool) -> optuna.Study:
    """The study of that name, taken up where it was left: trials that died running are queued again, a few times.

    `seed` is the sampler's. Each who takes part has another, or they would draw the same points. What is searched for
    is the least log loss.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats have been experimental since 2021
        queue_again = RetryHeartbeatStaleTrialCallback(max_retry=MAX_RETRIES)
        storage = RDBStorage(
            url,
            # A worker opens the study for each share; with a pool each would keep connections that no one uses again.
            engine_kwargs={"poolclass": NullPool},
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=queue_again,
        )
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        direction="minimize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )
    # Seeded by the number of existing trials, too, or a study that is taken up would draw its first points again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=8)
    for guess in first_guesses(knows_time):
        study.enqueue_trial(guess, skip_if_exists=True)
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
    study: optuna.Study, examples: Examples, share: Share, total: int, seed: int, report: Callable[[FrozenTrial], None]
) -> None:
    """Trials until those of the share, or `total` of all who take part, are finished or pruned.

    `report` is called with each.
    """

    def objective(trial: optuna.Trial) -> float:
        trial.set_user_attr("share", share.name)
        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")

        def stop(stage: int, value: float) -> bool:
            trial.report(value, stage)
            return trial.should_prune()

        grown = grow(suggest(trial, examples.knows_time), examples, seed + trial.number, stop)
        trial.set_user_attr("grown", asdict(grown))
        if grown.stopped:
            raise optuna.TrialPruned
        return grown.sizes[-1].log_loss

    existing = study.get_trials(deepcopy=False, states=COUNTED)
    left = share.trials - sum(trial.user_attrs.get("share") == share.name for trial in existing)
    if left <= 0 or len(existing) >= total:
        return
    enough = MaxTrialsCallback(total, states=COUNTED)  # another copy of this training may search as well
    study.optimize(objective, n_trials=left, callbacks=[enough, lambda _, trial: report(trial)])


def place_of(trial: FrozenTrial) -> int:
    """A trial's number as people see it, in logs, MLflow and the choice: from 1."""
    return trial.number + 1


def grown_of(trial: FrozenTrial) -> Grown:
    """What a counted trial left behind."""
    stored = dict(trial.user_attrs["grown"])
    return Grown(sizes=[Size(**size) for size in stored.pop("sizes")], **stored)


def _died_here(trial: FrozenTrial) -> bool:
    """Whether the process that ran a trial is gone. One on another machine is judged by its heartbeat."""
    host, _, pid = trial.user_attrs.get("worker", "").rpartition(":")
    if not host:  # a worker signs a trial as soon as it has begun it
        return datetime.now() - (trial.datetime_start or datetime.min) > UNSIGNED_FOR
    if host != socket.gethostname() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
