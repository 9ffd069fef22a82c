import numpy as np
import pytest

from tasks.measures import roc_auc
from tasks.training.gate import Contest, gate_verdict

ROWS, NEW_ROWS, MARGIN = 6_000, 400, 0.001
RNG = np.random.default_rng(3)
LABEL = np.arange(ROWS, dtype=np.int8) % 2
NEW = np.arange(ROWS) < NEW_ROWS
NOISE = RNG.normal(size=ROWS)
OTHER_NOISE = RNG.normal(size=ROWS)


def scores(signal: float, noise: np.ndarray = NOISE) -> np.ndarray:
    """Scores that know the label so well."""
    return signal * LABEL + noise


USUAL = scores(2.0)
BETTER_BY_CHANCE = max(
    (USUAL + part * OTHER_NOISE for part in (-0.02, 0.02)), key=lambda probability: roc_auc(LABEL, probability)
)
BETTER = scores(2.1)
SLIGHTLY_WORSE = scores(1.999)
BETTER_ON_NEW = np.where(NEW, scores(2.5), USUAL - 0.06 * LABEL)


def contest(candidate: np.ndarray, **differently: object) -> Contest:
    usual = {"champion": USUAL, "candidate_cost": 100.0, "champion_cost": 100.0, "new": np.zeros(ROWS, bool)}
    usual["best_roc_auc"] = roc_auc(LABEL, USUAL)
    return Contest(label=LABEL, candidate=candidate, **(usual | differently))


@pytest.mark.parametrize(
    ("held", "promoted", "reason"),
    [
        (contest(BETTER), True, "better on all test rows"),
        (contest(BETTER, candidate_cost=900.0), True, "better on all test rows"),
        (contest(USUAL), False, "not better"),
        (contest(BETTER_BY_CHANCE), False, "not better"),
        (contest(SLIGHTLY_WORSE, candidate_cost=50.0), True, "2.0 times cheaper"),
        (contest(SLIGHTLY_WORSE), False, "not better"),
        (contest(scores(1.9), candidate_cost=50.0), False, "not better"),
        # Within the margin of the present champion, but that one stands below an earlier one already.
        (contest(SLIGHTLY_WORSE, candidate_cost=50.0, best_roc_auc=roc_auc(LABEL, BETTER)), False, "not better"),
        (contest(BETTER_ON_NEW, new=NEW), True, "better on the labelled days"),
        (contest(BETTER_ON_NEW), False, "not better"),
        (contest(BETTER_ON_NEW, new=np.arange(ROWS) < 99), False, "not better"),
        (contest(USUAL, new=NEW), False, "not better"),
    ],
)
def test_the_gate(held, promoted, reason):
    earned, why = gate_verdict(held, MARGIN)
    assert (earned, reason in why) == (promoted, True), why


def test_the_cases_are_what_they_say():
    """Or a case above could pass for a reason that is none."""
    usual = roc_auc(LABEL, USUAL)
    assert 0 < roc_auc(LABEL, BETTER_BY_CHANCE) - usual < MARGIN
    assert 0 < usual - roc_auc(LABEL, SLIGHTLY_WORSE) < MARGIN < roc_auc(LABEL, BETTER) - usual
    assert abs(roc_auc(LABEL, BETTER_ON_NEW) - usual) < 5 * MARGIN
    assert roc_auc(LABEL[NEW], BETTER_ON_NEW[NEW]) > roc_auc(LABEL[NEW], USUAL[NEW]) + MARGIN


def test_quality_cannot_sink_a_margin_a_week():
    """Each a little worse and cheaper than the one before: the line of champions ends at a margin below the best."""
    champion, best, cost = USUAL, roc_auc(LABEL, USUAL), 100.0
    for week in range(1, 30):
        candidate = scores(2.0 - 0.003 * week)
        held = contest(candidate, champion=champion, champion_cost=cost, candidate_cost=cost - 1, best_roc_auc=best)
        if gate_verdict(held, MARGIN)[0]:
            champion, cost = candidate, cost - 1
    assert cost < 100.0
    assert best - roc_auc(LABEL, champion) <= MARGIN
