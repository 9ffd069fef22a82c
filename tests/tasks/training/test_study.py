import os
import socket
import subprocess
import sys

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from campaign.settings import Settings
from tasks.training.examples import Examples
from tasks.training.grow import Grown, Size
from tasks.training.search_space import first_guesses, study_name
from tasks.training.study import COUNTED, MAX_RETRIES, Share, grown_of, open_study, run_trials, shares_of
from tests.tasks.training.made_up_rows import examples_from

FEATURES, KNOWS_TIME, SEED = 4, False, 1
HOST = socket.gethostname()
optuna.logging.set_verbosity(optuna.logging.WARNING)
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")  # for trials that no `optimize` ends


@pytest.fixture
def url(own_home) -> str:
    own_home.mkdir()
    return Settings().optuna_url


@pytest.fixture
def examples() -> Examples:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, FEATURES)).astype(np.float32)
    label = (X[:, 0] + rng.normal(size=600) > 0).astype(np.int8)
    return examples_from(X, label, 400)


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Forests that need no growing: the smaller the leaves the better."""
    monkeypatch.setattr(
        "tasks.training.study.grow",
        lambda recipe, examples, seed, stop: Grown([Size(1, 0.5, recipe["min_samples_leaf"] / 64, 4.0)], 1.0),
    )


def bring_to(study: optuna.Study, examples: Examples, total: int) -> list[int]:
    """The numbers of the trials that were run for it."""
    ran = []
    share = Share(f"to {total}", 0, total - len(counted(study)))
    run_trials(study, examples, share, total, SEED, lambda trial: ran.append(trial.number))
    return ran


def counted(study: optuna.Study) -> list[dict]:
    return [trial.params for trial in study.get_trials(states=COUNTED)]


def opened(url: str, seed: int = SEED) -> optuna.Study:
    return open_study("study", url, seed, KNOWS_TIME)


def died(url: str, worker: str) -> optuna.trial.FrozenTrial:
    """A trial that a worker began and never ended."""
    trial = opened(url).ask()
    trial.set_user_attr("worker", worker)
    trial.suggest_int("n_estimators", 8, 128, log=True)
    return trial


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_real_forests_are_grown_and_what_they_cost_is_kept(url, examples):
    study = opened(url)
    assert bring_to(study, examples, 3) == [0, 1, 2]
    for trial in study.get_trials(states=(TrialState.COMPLETE,)):
        grown = grown_of(trial)
        assert grown.sizes[-1].log_loss == trial.value
        assert grown.sizes[-1].roc_auc > 0.6
        assert grown.sizes[-1].trees == trial.params["n_estimators"]
        assert grown.cpu_seconds > 0


def test_pruned_trials_stop_fitting_and_count(url, examples, monkeypatch):
    import tasks.training.grow

    fit_trees, fitted = tasks.training.grow.fit_trees, []
    monkeypatch.setattr(tasks.training.grow, "fit_trees", lambda *given: fitted.append(given[2]) or fit_trees(*given))
    study = opened(url)
    study.pruner = optuna.pruners.ThresholdPruner(upper=0.0)  # nobody's log loss
    bring_to(study, examples, 2)
    assert [trial.state for trial in study.get_trials(states=COUNTED)] == [TrialState.PRUNED] * 2
    assert fitted == [8, 8]
    for trial in study.get_trials(states=COUNTED):
        assert grown_of(trial).stopped
        assert grown_of(trial).cpu_seconds_saved > 0


@pytest.mark.usefixtures("at_once")
def test_a_study_that_is_taken_up_goes_on_and_repeats_nothing(url, examples):
    assert bring_to(opened(url), examples, 5) == [0, 1, 2, 3, 4]
    study = opened(url)
    assert bring_to(study, examples, 5) == []
    assert bring_to(study, examples, 12) == [5, 6, 7, 8, 9, 10, 11]
    assert counted(study)[:2] == first_guesses(KNOWS_TIME)
    assert len({tuple(params.values()) for params in counted(study)}) == 12


@pytest.mark.usefixtures("at_once")
def test_the_same_seed_searches_the_same_points(url, examples, tmp_path):
    studies = [open_study(name, url, seed, KNOWS_TIME) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    for study in studies:
        bring_to(study, examples, 6)
    first, same, other = map(counted, studies)
    assert first == same
    assert first[2:] != other[2:]


KILLED = """
import os, signal, sys
from types import SimpleNamespace
import tasks.training.study

tasks.training.study.grow = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
examples = SimpleNamespace(knows_time=False)
share = tasks.training.study.Share("killed", 0, 5)
study = tasks.training.study.open_study("study", sys.argv[1], 1, False)
tasks.training.study.run_trials(study, examples, share, 5, 1, print)
"""


@pytest.mark.usefixtures("at_once")
@pytest.mark.outer
def test_a_trial_of_a_killed_process_is_taken_up_with_its_parameters(url, examples):
    bring_to(opened(url), examples, 2)
    assert subprocess.run([sys.executable, "-c", KILLED, url]).returncode == -9
    [left] = optuna.load_study(study_name="study", storage=url).get_trials(states=(TrialState.RUNNING,))
    study = opened(url)
    assert study.trials[left.number].state == TrialState.FAIL
    [taken_up] = bring_to(study, examples, 3)
    assert study.trials[taken_up].params == left.params
    assert len(left.params) == 5


@pytest.mark.usefixtures("at_once")
def test_a_first_guess_is_not_lost_with_a_process_that_died_before_it_began(url, examples, dead):
    died(url, f"{HOST}:{dead}")
    study = opened(url)
    bring_to(study, examples, 2)
    assert sorted(map(str, counted(study))) == sorted(map(str, first_guesses(KNOWS_TIME)))


def test_a_trial_that_kills_every_process_is_given_up(url, dead):
    for _ in range(20):
        study = opened(url)
        if not study.get_trials(states=(TrialState.WAITING,)):
            break
        study.ask().set_user_attr("worker", f"{HOST}:{dead}")
    assert len(study.trials) == 2 * (1 + MAX_RETRIES)


def test_two_processes_may_take_up_a_study_at_once(url, dead, monkeypatch):
    left = died(url, f"{HOST}:{dead}")

    def another_was_quicker(trial: optuna.trial.FrozenTrial) -> bool:
        left.study.tell(trial.number, state=TrialState.FAIL)
        return True

    monkeypatch.setattr("tasks.training.study._died_here", another_was_quicker)
    assert len(opened(url).get_trials(states=(TrialState.WAITING,))) == 1


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("worker", ["this process", "a live one", "one on another host"])
def test_a_trial_that_may_be_alive_is_left_alone(url, examples, dead, worker):
    names = {"this process": f"{HOST}:{os.getpid()}", "a live one": f"{HOST}:{os.getppid()}"}
    left = died(url, names.get(worker, f"elsewhere:{dead}"))
    study = opened(url)
    bring_to(study, examples, 3)
    assert study.trials[left.number].state == TrialState.RUNNING
    assert len(study.trials) == 4


@pytest.mark.usefixtures("at_once")
def test_a_trial_on_another_host_is_taken_up_once_its_heart_has_stopped(url, examples, dead):
    left = died(url, f"elsewhere:{dead}")
    left.study._storage.record_heartbeat(left._trial_id)
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text("UPDATE trial_heartbeats SET heartbeat = '2026-01-01 00:00:00'"))
    study = opened(url)
    bring_to(study, examples, 3)
    assert study.trials[left.number].state == TrialState.FAIL
    assert first_guesses(KNOWS_TIME)[left.number] in counted(study)


@pytest.mark.usefixtures("at_once")
def test_a_share_that_is_repeated_makes_no_trial_twice(url, examples):
    study, share, ran = opened(url), Share("0+0", 0, 4), []
    for _ in range(2):
        run_trials(study, examples, share, 10, SEED, lambda trial: ran.append(trial.number))
    assert ran == [0, 1, 2, 3]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("trials", "total", "ran"), [(2, 10, 2), (10, 3, 3), (10, 2, 2)])
def test_a_share_makes_its_trials_or_what_the_study_lacks_and_not_one_more(url, examples, trials, total, ran):
    """Another copy of the training may have added to the study meanwhile."""
    study = opened(url)
    run_trials(study, examples, Share("first", 0, trials), total, SEED, lambda trial: None)
    assert len(study.trials) == max(ran, len(first_guesses(KNOWS_TIME)))
    assert len(counted(study)) == ran
    run_trials(study, examples, Share("another", 1, 5), ran, SEED, lambda trial: None)
    assert len(counted(study)) == ran


@pytest.mark.usefixtures("at_once")
def test_the_best_trial_is_that_of_the_least_log_loss(url, examples):
    study = opened(url)
    bring_to(study, examples, 6)
    assert study.best_value == min(trial.value for trial in study.trials)


def test_each_trial_grows_its_forest_by_a_seed_of_its_own(url, examples, monkeypatch):
    seeds = []
    grown = Grown([Size(1, 0.5, 0.5, 4.0)], 1.0)
    monkeypatch.setattr("tasks.training.study.grow", lambda recipe, examples, seed, stop: seeds.append(seed) or grown)
    bring_to(opened(url), examples, 3)
    assert seeds == [SEED, SEED + 1, SEED + 2]


def test_a_trial_that_was_queued_again_is_not_taken_for_dead_before_its_worker_signs_it(url, dead):
    died(url, f"{HOST}:{dead}")
    study = opened(url)
    begun = [study.ask() for _ in range(2)]  # the other first guess, and the one that is taken up
    assert study.trials[begun[1].number].system_attrs["retry_history"] == [0]
    again = opened(url)
    assert [again.trials[trial.number].state for trial in begun] == [TrialState.RUNNING] * 2


@pytest.mark.parametrize(
    ("existing", "total", "workers", "sizes"),
    [
        (0, 12, 1, [12]),
        (0, 12, 2, [5, 5, 2]),
        (4, 6, 1, [2]),
        (0, 6, 3, [2, 2, 2]),
        (0, 2, 5, [1, 1]),
        (6, 6, 1, []),
        (9, 6, 2, []),
    ],
)
def test_what_is_missing_is_shared_out(existing, total, workers, sizes):
    shares = shares_of(existing, total, workers, 400)
    assert [share.trials for share in shares] == sizes
    assert len({share.name for share in shares}) == len(sizes)


def test_however_many_trials_there_are_their_shares_are_bounded():
    shares = shares_of(0, 100_000, 1_000, 400)
    assert len(shares) <= 400
    assert sum(share.trials for share in shares) == 100_000


def test_each_other_question_has_a_study_of_its_own():
    usual = {"model": "m", "digest": "d", "feature_set": "published", "seed": 1}
    others = [usual | other for other in ({}, {"digest": "e"}, {"feature_set": "launch"}, {"seed": 2}, {"model": "n"})]
    assert len({study_name(**arguments) for arguments in others}) == len(others)
    assert study_name(**usual) == "m-d-published-1-3"
