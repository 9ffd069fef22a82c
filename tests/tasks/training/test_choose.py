import logging
from contextlib import nullcontext
from dataclasses import asdict
from types import SimpleNamespace

import mlflow
import numpy as np
import optuna
import pytest

from campaign.linear import shifted
from campaign.schema_parts import Share
from campaign.settings import Settings
from tasks.measures import log_loss, losses, roc_auc
from tasks.training.choose import (
    LOG_LOSS_TOLERANCE,
    STANDARD_ERRORS,
    Candidate,
    Verified,
    candidates_of,
    choose_recipe,
    decide_on,
    default_trial,
    fewest_trees,
    shortlist,
)
from tasks.training.choose import choose as choose_task
from tasks.training.examples import Examples
from tasks.training.grow import Size, grow
from tasks.training.search import Searched
from tasks.training.search_space import first_guesses, recipe_of
from tests.published import SCHEMA
from tests.tasks.training.made_up_rows import BOTH, FOREST, examples_from, launched_daily, moving, rows_of

ROWS, TOLERANCE = 2_000, 0.0005
RNG = np.random.default_rng(9)
LABEL = (np.arange(ROWS) % 2).astype(np.int8)
NOISE, OTHER_NOISE = RNG.normal(size=(2, ROWS))


def probabilities(signal: float, noise: np.ndarray = NOISE) -> np.ndarray:
    return 1 / (1 + np.exp(-signal * (LABEL - 0.5) - noise))


def candidate(trial: int, probability: np.ndarray, cost: float, trees: int = 8) -> Candidate:
    size = Size(trees, roc_auc(LABEL, probability), log_loss(LABEL, probability), cost)
    return Candidate(trial, recipe_of(FOREST, trees), size)


DEFAULT = probabilities(1.0)
BETTER = probabilities(1.3)
# Told by other chances: a little less loss, and as much of it is luck.
BETTER_BY_CHANCE = probabilities(1.01, 0.97 * NOISE + 0.243 * OTHER_NOISE)
NEARLY_AS_GOOD = probabilities(0.998)
WORSE = probabilities(0.97)
# As good on the whole, row by row a little other.
LUCKY = probabilities(1.003, 0.9995 * NOISE + 0.03 * OTHER_NOISE)
# The same ranking, told with less confidence.
TIMID = 0.5 + (DEFAULT - 0.5) / 4


NOTHING = examples_from(np.zeros((2 * ROWS, 1), np.float32), np.tile(LABEL, 2), ROWS)


@pytest.fixture
def choose(monkeypatch):
    """The choice between the default, trial 0, and another, each a forest of 16 trees with prefixes of 4 and 8."""

    def choose(other: np.ndarray, four: np.ndarray = TIMID, eight: np.ndarray = TIMID, default: int | None = 0):
        def prefixes(trial: int, whole: np.ndarray) -> list[Verified]:
            sizes = ((four, 4), (eight, 8), (whole, 16))
            return [
                Verified(candidate(trial, probability, 10.0 * trees, trees), probability)
                for probability, trees in sizes
            ]

        forests = {0: prefixes(0, DEFAULT), 1: prefixes(1, other)}
        monkeypatch.setattr("tasks.training.choose.verify", lambda given, examples, seed: forests[given.trial])
        candidates = [prefix.candidate for of_trial in forests.values() for prefix in of_trial]
        return choose_recipe(candidates, default, NOTHING, 1, TOLERANCE)

    return choose


def test_the_cases_are_what_they_say():
    def gain(probability: np.ndarray) -> tuple[float, float]:
        difference = losses(LABEL, DEFAULT) - losses(LABEL, probability)
        return difference.mean(), difference.std() / ROWS**0.5

    mean, error = gain(BETTER)
    assert mean > STANDARD_ERRORS * error
    assert log_loss(LABEL, BETTER) > 0.8 * log_loss(LABEL, DEFAULT)
    mean, error = gain(BETTER_BY_CHANCE)
    assert 0 < mean < STANDARD_ERRORS * error
    assert 0 < roc_auc(LABEL, DEFAULT) - roc_auc(LABEL, NEARLY_AS_GOOD) < TOLERANCE
    assert log_loss(LABEL, TIMID) > log_loss(LABEL, DEFAULT) * (1 + LOG_LOSS_TOLERANCE)
    assert roc_auc(LABEL, TIMID) == roc_auc(LABEL, DEFAULT)


def test_the_default_is_left_for_what_is_surely_better(choose):
    choice, probability = choose(BETTER)
    assert (choice.chosen.trial, choice.best.trial) == (1, 1)
    assert choice.reason.startswith("better than the default (log loss -0.")
    assert choice.gain > STANDARD_ERRORS * choice.standard_error > 0
    assert (probability == BETTER).all()


def test_and_for_nothing_that_is_better_by_chance(choose):
    choice, probability = choose(BETTER_BY_CHANCE)
    assert (choice.chosen.trial, choice.best.trial) == (0, 1)
    assert choice.reason == "the default, which none is surely better than"
    assert (probability == DEFAULT).all()


@pytest.mark.parametrize(
    ("four", "eight", "trees"),
    [(TIMID, NEARLY_AS_GOOD, 8), (NEARLY_AS_GOOD, NEARLY_AS_GOOD, 4), (NEARLY_AS_GOOD, TIMID, 16), (TIMID, WORSE, 16)],
)
def test_fewer_trees_are_kept_only_where_they_and_all_more_are_within_the_tolerance(choose, four, eight, trees):
    choice, _ = choose(TIMID, four, eight)
    assert (choice.chosen.trial, choice.chosen.size.trees) == (0, trees)
    assert choice.chosen.params["n_estimators"] == trees
    assert ("cheaper to score" in choice.reason) == (trees < 16)


@pytest.mark.parametrize(("rows", "trees"), [(ROWS, 4), (60, 16)])
def test_few_rows_cannot_tell_that_fewer_trees_are_enough(rows, trees):
    label = LABEL[:rows]
    prefixes = [
        Verified(candidate(0, probability, 10.0 * count, count), probability[:rows])
        for probability, count in ((LUCKY, 4), (LUCKY, 8), (DEFAULT, 16))
    ]
    assert fewest_trees(prefixes, label, TOLERANCE).size.trees == trees


def test_a_prefix_that_ranks_worse_is_not_enough_however_much_less_its_loss_is():
    assert roc_auc(LABEL, TIMID) - roc_auc(LABEL, WORSE) > TOLERANCE
    assert log_loss(LABEL, WORSE) < log_loss(LABEL, TIMID)
    prefixes = [Verified(candidate(0, each, 10.0 * trees, trees), each) for each, trees in ((WORSE, 4), (TIMID, 16))]
    assert fewest_trees(prefixes, LABEL, TOLERANCE).size.trees == 16


def test_without_the_default_the_best_is_chosen(choose):
    choice, _ = choose(BETTER, default=None)
    assert (choice.chosen.trial, choice.reason) == (1, "the best found")


def test_the_best_is_fitted_again_and_the_default_beside_it():
    candidates = [candidate(0, DEFAULT, 100.0), candidate(1, BETTER, 90.0), candidate(20, TIMID, 1.0)]
    assert shortlist(candidates, 0) == [1, 0]
    assert shortlist(candidates[::2], 0) == [0]
    assert shortlist(candidates, None) == [1]


def test_of_two_that_are_as_good_the_cheaper_one_is_best():
    alike = [candidate(0, DEFAULT, 100.0), candidate(1, BETTER, 90.0), candidate(2, BETTER, 50.0)]
    assert shortlist(alike, None) == [2]
    assert shortlist(alike[:2][::-1] + alike[2:], 0) == [2, 0]


@pytest.mark.parametrize(
    ("cost", "best", "reason"), [(5.0, 1, "none is surely better"), (15.0, 0, "is the best found")]
)
def test_once_fitted_again_the_cheaper_of_two_that_are_as_good_is_best(monkeypatch, cost, best, reason):
    costs = {0: 10.0, 1: cost}
    monkeypatch.setattr(
        "tasks.training.choose.verify",
        lambda given, examples, seed: [Verified(candidate(given.trial, DEFAULT, costs[given.trial]), DEFAULT)],
    )
    candidates = [candidate(0, DEFAULT, 10.0), candidate(1, BETTER, 10.0)]
    choice, _ = choose_recipe(candidates, 0, NOTHING, 1, TOLERANCE)
    assert (choice.chosen.trial, choice.best.trial) == (0, best)
    assert reason in choice.reason


def test_what_is_chosen_is_fitted_with_the_seed_of_the_search(line, monkeypatch):
    """What fits it for good has that seed, and the figures are to be those of its forest."""
    from tasks.training import choose

    seeds = []
    verify = choose.verify
    monkeypatch.setattr(choose, "verify", lambda *given: seeds.append(given[2]) or verify(*given))
    choose_recipe([Candidate(0, recipe_of(FOREST, 8), Size(8, 0.8, 0.5, 9.0))], 0, line, 5, TOLERANCE)
    assert seeds == [5]


def test_the_choice_of_a_study_is_made_with_the_seed_that_it_was_searched_with_and_reported(line, monkeypatch):
    study, reported = optuna.create_study(), {}
    distributions = {name: optuna.distributions.CategoricalDistribution([value]) for name, value in FOREST.items()}
    grown = asdict(grow(FOREST, line, 1, lambda stage, loss: False))
    study.add_trial(
        optuna.trial.create_trial(params=FOREST, distributions=distributions, value=0.5, user_attrs={"grown": grown})
    )
    monkeypatch.setattr(optuna, "load_study", lambda study_name, storage: study)
    for name, instead in {
        "examples_of": lambda parts: line,
        "reporting_to": lambda run: nullcontext(),
        "get_run_logger": lambda: logging.getLogger("choose"),
    }.items():
        monkeypatch.setattr(f"tasks.training.choose.{name}", instead)
    for name in ("log_dict", "log_metrics"):
        monkeypatch.setattr(mlflow, name, lambda values, *path: reported.update(values))
    searched = Searched("study", 5, 1, 0, 1.0, 0.0, 1_000)
    choice = choose_task.fn(searched, SimpleNamespace(schema=SCHEMA), None)
    expected, _ = choose_recipe(candidates_of(study), None, line, 5, Settings().tolerance)
    assert (choice.chosen, choice.best, choice.reason) == (expected.chosen, expected.best, expected.reason)
    assert reported["validation_log_loss"] == choice.chosen.size.log_loss
    assert reported["best_validation_log_loss"] == choice.best.size.log_loss
    assert (reported["reason"], reported["search_rows"]) == (choice.reason, 1_000)


def test_a_trial_that_was_pruned_is_no_candidate():
    study = optuna.create_study()
    grown = {"sizes": [{"trees": 8, "roc_auc": 0.9, "log_loss": 0.1, "cost": 1.0}], "cpu_seconds": 1.0}
    for state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED):
        trial = study.ask()
        for name, value in first_guesses(False)[0].items():
            trial.suggest_categorical(name, [value])
        trial.set_user_attr("grown", grown)
        study.tell(trial, 0.1 if state == optuna.trial.TrialState.COMPLETE else None, state)
    [found] = candidates_of(study)
    assert (found.trial, found.params["n_estimators"], found.size.roc_auc) == (1, 8, 0.9)


def test_what_the_default_is_far_behind_is_not_compared_with_it_again():
    far_better = probabilities(6.0)
    assert log_loss(LABEL, far_better) < 0.8 * log_loss(LABEL, DEFAULT)
    assert shortlist([candidate(0, DEFAULT, 9.0), candidate(1, far_better, 99.0)], 0) == [1]


def test_the_default_is_found_by_its_parameters():
    study = optuna.create_study()
    for guess in (*first_guesses(False)[::-1], first_guesses(True)[0]):
        distributions = {name: optuna.distributions.CategoricalDistribution([value]) for name, value in guess.items()}
        study.add_trial(optuna.trial.create_trial(params=guess, distributions=distributions, value=0.5))
    assert default_trial(study, knows_time=False) == 2
    assert default_trial(study, knows_time=True) == 3
    assert default_trial(optuna.create_study(), knows_time=True) is None


@pytest.fixture(scope="module")
def line():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1_500, 3)).astype(np.float32)
    return examples_from(X, (X[:, 0] + rng.normal(size=1_500) > 0).astype(np.int8), 1_000)


def test_the_figures_of_a_choice_are_those_of_its_forest(line):
    recipe = recipe_of(FOREST, 16)
    sizes = grow(recipe, line, 1, lambda stage, loss: False).sizes
    candidates = [Candidate(0, recipe_of(recipe, size.trees), size) for size in sizes]
    choice, probability = choose_recipe(candidates, 0, line, 1, TOLERANCE)
    for forest in (choice.chosen, choice.best):
        assert forest.params["n_estimators"] == forest.size.trees
    assert choice.chosen.size.log_loss == log_loss(line.judged.y, probability)
    assert choice.chosen.size.cost <= choice.best.size.cost
    assert (choice.rows, choice.judged_rows) == (1_000, 500)
    assert choose_recipe(candidates, 0, line, 1, TOLERANCE)[0] == choice


def test_a_share_to_act_on_becomes_the_threshold_of_rows_that_were_not_fitted(line):
    probability = np.linspace(0, 1, 500)
    recipe = recipe_of(FOREST, 8)
    choice, _ = choose_recipe([Candidate(0, recipe, Size(8, 0.8, 0.5, 9.0))], 0, line, 1, TOLERANCE)
    decided = decide_on(choice, probability, line, Share(share=0.1))
    assert decided.threshold == pytest.approx(0.9, abs=0.01)
    assert decided.shift == 0
    assert decided.chosen == choice.chosen


@pytest.mark.parametrize("by_time", [True, False])
def test_where_the_rate_moves_probabilities_are_shifted_before_they_are_decided_on(by_time):
    X, y = moving([0.1, 0.1, 0.2, 0.4, 0.6])
    rows, probability = rows_of(X, y, launched_daily(len(y))), np.linspace(0.1, 0.5, 600)
    line = Examples(SCHEMA, rows.take(np.arange(2_400)), rows.take(np.arange(2_400, 3_000)), by_time)
    choice, _ = choose_recipe([Candidate(0, BOTH, Size(8, 0.8, 0.5, 9.0))], 0, line, 1, TOLERANCE)
    decided = decide_on(choice, probability, line, Share(share=0.1))
    assert (decided.shift > 0.2) == by_time
    assert (shifted(probability, decided.shift) > decided.threshold).mean() == pytest.approx(0.1, abs=0.005)
