import numpy as np
import pytest

from tasks.measures import log_loss, paired_differences, roc_auc
from tasks.training.choose import LOG_LOSS_SLACK, TOLERANCE, Candidate, choose_forest, shortlist
from tasks.training.grow import Examples, Size, grow
from tasks.training.search_space import ForestParams

ROWS = 2_000
RNG = np.random.default_rng(9)
LABEL = (np.arange(ROWS) % 2).astype(np.int8)
NOISE, OTHER_NOISE = RNG.normal(size=(2, ROWS))


def probabilities(signal: float, noise: np.ndarray = NOISE) -> np.ndarray:
    return 1 / (1 + np.exp(-signal * (LABEL - 0.5) - noise))


def candidate(trial: int, probability: np.ndarray, cost: float) -> Candidate:
    params = ForestParams(n_estimators=8, max_depth=4, min_samples_leaf=1, max_features=2, max_samples=1.0)
    return Candidate(trial, params, Size(8, roc_auc(LABEL, probability), log_loss(LABEL, probability), cost))


BEST = probabilities(3.0)
SLIGHTLY_WORSE = probabilities(2.99)
# The same ranking, told with less confidence.
TIMID = 0.5 + (SLIGHTLY_WORSE - 0.5) / 4
WORSE_BY_CHANCE = probabilities(2.97, 0.97 * NOISE + 0.243 * OTHER_NOISE)
WORSE = probabilities(2.8)


@pytest.fixture
def choose(monkeypatch):
    """The choice between a best forest that costs 100 and one other, which a fit finds to be as the search said."""

    def choose(probability: np.ndarray, cost: float = 50.0, verified: np.ndarray | None = None):
        candidates = {0: candidate(0, BEST, 100.0), 1: candidate(1, probability, cost)}
        fits = {0: BEST, 1: probability if verified is None else verified}
        monkeypatch.setattr(
            "tasks.training.choose.verify",
            lambda given, examples, seed: [
                (candidate(given.trial, fits[given.trial], given.size.cost), fits[given.trial])
            ],
        )
        nothing = np.empty((ROWS, 0), np.float32)
        return choose_forest([*candidates.values()], Examples(nothing, LABEL, nothing, LABEL), seed=1)

    return choose


def lost(probability: np.ndarray) -> float:
    return roc_auc(LABEL, BEST) - roc_auc(LABEL, probability)


def test_the_cases_are_what_they_say():
    error = paired_differences(LABEL, BEST, WORSE_BY_CHANCE).std()
    assert 0 < lost(SLIGHTLY_WORSE) < TOLERANCE < lost(WORSE_BY_CHANCE) < error
    assert lost(WORSE) > max(TOLERANCE, paired_differences(LABEL, BEST, WORSE).std())
    assert lost(TIMID) == lost(SLIGHTLY_WORSE)
    assert log_loss(LABEL, TIMID) > log_loss(LABEL, BEST) * (1 + LOG_LOSS_SLACK)


@pytest.mark.parametrize("probability", [SLIGHTLY_WORSE, WORSE_BY_CHANCE])
def test_a_cheaper_forest_that_is_as_good_is_chosen(choose, probability):
    choice = choose(probability)
    assert (choice.chosen.trial, choice.best.trial) == (1, 0)
    assert choice.reason.startswith("2.0 times cheaper")


@pytest.mark.parametrize(
    ("probability", "cost"),
    [(WORSE, 1.0), (TIMID, 1.0), (SLIGHTLY_WORSE, 100.0), (SLIGHTLY_WORSE, 101.0), (probabilities(0.5), 1.0)],
)
def test_else_the_best_is(choose, probability, cost):
    choice = choose(probability, cost)
    assert choice.chosen == choice.best
    assert choice.chosen.trial == 0
    assert "no cheaper one is as good" in choice.reason


@pytest.mark.parametrize("verified", [WORSE, TIMID])
def test_what_the_search_overrated_is_not_chosen(choose, verified):
    assert choose(SLIGHTLY_WORSE, verified=verified).chosen.trial == 0


def test_a_forest_out_of_reach_is_not_even_fitted():
    candidates = [candidate(0, BEST, 100.0), candidate(1, probabilities(0.5), 1.0), candidate(2, TIMID, 1.0)]
    assert shortlist(candidates, ROWS) == [0]


def test_few_forests_are_fitted_the_best_and_the_cheapest_among_them():
    candidates = [candidate(0, BEST, 100.0), *(candidate(n, SLIGHTLY_WORSE, 60.0 - n) for n in range(1, 20))]
    assert shortlist(candidates, ROWS) == [0, 19, 18]


def test_the_figures_of_a_choice_are_those_of_its_forest():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1_500, 3)).astype(np.float32)
    label = (X[:, 0] + rng.normal(size=1_500) > 0).astype(np.int8)
    examples = Examples(X[:1_000], label[:1_000], X[1_000:], label[1_000:])
    params = ForestParams(n_estimators=16, max_depth=3, min_samples_leaf=5, max_features=2, max_samples=1.0)
    sizes = grow(params, examples, 1, lambda stage, auc: False).sizes
    candidates = [Candidate(0, {**params, "n_estimators": size.trees}, size) for size in sizes]
    choice = choose_forest(candidates, examples, seed=1)
    for forest in (choice.chosen, choice.best):
        assert forest.params["n_estimators"] == forest.size.trees
    assert choice.chosen.size.cost <= choice.best.size.cost
    assert choice.chosen.size.roc_auc >= choice.best.size.roc_auc - max(TOLERANCE, choice.standard_error)
    assert choose_forest(candidates, examples, seed=1) == choice
