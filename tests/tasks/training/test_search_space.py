import optuna
import pytest

from tasks.training.search_space import (
    HALF_LIVES,
    MAX_TREES,
    SPACE_VERSION,
    ForestParams,
    first_guesses,
    forest_params,
    is_default,
    recipe_of,
    study_name,
    suggest,
)


def test_a_study_of_all_columns_keeps_the_name_that_an_interrupted_search_has():
    assert study_name("campaign-success", "d1", "all", 1) == "campaign-success-d1-published-1-3"
    assert study_name("kickstarter", "d1", "launch", 2) == "kickstarter-d1-launch-2-3"


@pytest.mark.parametrize("knows_time", [True, False])
def test_every_point_is_a_recipe_and_weighs_rows_by_recency_only_where_time_is_known(knows_time):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    recipes = [suggest(study.ask(), knows_time) for _ in range(40)]
    assert all(0.2 <= recipe["max_features"] <= 1 and recipe["n_estimators"] <= MAX_TREES for recipe in recipes)
    assert {recipe["half_life"] for recipe in recipes} == (set(HALF_LIVES) if knows_time else {None})
    assert {recipe["linear"] for recipe in recipes} == {True, False}


@pytest.mark.parametrize("knows_time", [True, False])
def test_the_first_guesses_are_points_of_the_space_the_default_first(knows_time):
    study = optuna.create_study()
    guesses = first_guesses(knows_time)
    for guess in guesses:
        study.enqueue_trial(guess)
        assert recipe_of(guess, guess["n_estimators"]) == suggest(study.ask(), knows_time)
    assert [is_default(guess, knows_time) for guess in guesses] == [True, False]
    assert guesses[0]["linear"]
    assert guesses[1]["max_features"] == 1.0


def test_a_forest_is_given_its_own_parameters_alone():
    recipe = recipe_of(first_guesses(True)[0], 7)
    assert forest_params(recipe).keys() == ForestParams.__annotations__.keys()
    assert (recipe["n_estimators"], recipe["half_life"]) == (7, 0.5)


def test_whoever_takes_up_an_interrupted_search_goes_on_in_the_same_space():
    """Where this changes, so has SPACE_VERSION: studies of another space are other studies."""
    study = optuna.create_study()
    suggest(study.ask(), knows_time=True)
    [trial] = study.get_trials()
    whole, share, one_of = (
        optuna.distributions.IntDistribution, optuna.distributions.FloatDistribution,
        optuna.distributions.CategoricalDistribution,
    )  # fmt: skip
    assert SPACE_VERSION == "3"
    assert trial.distributions == {
        "n_estimators": whole(16, 128, log=True),
        "min_samples_leaf": whole(1, 64, log=True),
        "max_features": share(0.2, 1.0),
        "max_samples": share(0.3, 1.0),
        "linear": one_of([True, False]),
        "half_life": one_of([None, 0.5, 0.25]),
    }
