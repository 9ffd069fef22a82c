import optuna
import pytest

from tasks.training.search_space import MAX_TREES, first_guesses, study_name, suggest


def test_a_study_of_all_columns_keeps_the_name_that_an_interrupted_search_has():
    assert study_name("campaign-success", "d1", "all", 1) == "campaign-success-d1-published-1-2"
    assert study_name("kickstarter", "d1", "launch", 2) == "kickstarter-d1-launch-2-2"


@pytest.mark.parametrize("features", [2, 12, 70])
def test_every_point_and_every_first_guess_is_a_forest_for_that_many_features(features):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(30):
        params = suggest(study.ask(), features)
        assert 2 <= params["max_features"] <= features
        assert 1 <= params["n_estimators"] <= MAX_TREES
    usual, deep = first_guesses(features)
    assert deep["max_features"] == features
    assert usual["n_estimators"] == 110
