import numpy as np
import pytest

from tasks.measures import log_loss, roc_auc
from tasks.training.gate import Contest, compare, gate_verdict

ROWS, NEW_ROWS, MARGIN = 6_000, 400, 0.001
RNG = np.random.default_rng(3)
LABEL = np.arange(ROWS, dtype=np.int8) % 2
NEW = np.arange(ROWS) < NEW_ROWS
LATEST = np.arange(ROWS) >= ROWS - ROWS // 5
NOISE = RNG.normal(size=ROWS)
OTHER_NOISE = RNG.normal(size=ROWS)


def scores(signal: float, noise: np.ndarray = NOISE, moved: float = 0.0, sharpness: float = 2.0) -> np.ndarray:
    """Probabilities that know the label so well, right on average for a signal of 2 in a world that did not move."""
    return 1 / (1 + np.exp(-sharpness * (signal * LABEL + noise - 1) - moved))


USUAL = scores(2.0)
BETTER_BY_CHANCE, WORSE_BY_CHANCE = sorted(
    (scores(2.0, NOISE + part * OTHER_NOISE) for part in (-0.01, 0.01)),
    key=lambda probability: roc_auc(LABEL, probability),
    reverse=True,
)
BETTER = scores(2.1)
BETTER_ON_NEW = np.where(NEW, scores(2.5), scores(1.94))
# Ranked as USUAL is, by who still expects the successes of a world in which there were more.
OPTIMISTIC = scores(2.0, moved=1.0)
# Sure on the new days, by less than the margin of either measure.
HARDLY_BETTER_ON_NEW = np.where(NEW, scores(2.004), scores(1.94))


def contest(candidate: np.ndarray, **differently: object) -> Contest:
    usual = {"champion": USUAL, "candidate_cost": 100.0, "champion_cost": 100.0, "new": np.zeros(ROWS, bool)}
    usual |= {"best_roc_auc": roc_auc(LABEL, USUAL), "latest": None}
    return Contest(label=LABEL, candidate=candidate, **(usual | differently))


@pytest.mark.parametrize(
    ("held", "promoted", "reason"),
    [
        (contest(BETTER), True, "better on all test rows"),
        (contest(BETTER, candidate_cost=900.0), True, "better on all test rows"),
        (contest(USUAL), False, "not better"),
        (contest(BETTER_BY_CHANCE), False, "not better"),
        (contest(WORSE_BY_CHANCE, candidate_cost=50.0), True, "2.0 times cheaper"),
        (contest(WORSE_BY_CHANCE), False, "not better"),
        (contest(scores(1.9), candidate_cost=50.0), False, "not better"),
        # Within the margin of the present champion, but that one stands below an earlier one already.
        (contest(WORSE_BY_CHANCE, candidate_cost=50.0, best_roc_auc=roc_auc(LABEL, BETTER)), False, "not better"),
        (contest(BETTER_ON_NEW, new=NEW), True, "better on the labelled days"),
        (contest(BETTER_ON_NEW), False, "not better"),
        (contest(BETTER_ON_NEW, new=np.arange(ROWS) < 99), False, "not better"),
        (contest(HARDLY_BETTER_ON_NEW, new=NEW), False, "not better"),
        (contest(USUAL, new=NEW), False, "not better"),
    ],
)
def test_the_gate(held, promoted, reason):
    earned, why = gate_verdict(held, MARGIN)
    assert (earned, reason in why) == (promoted, True), why


@pytest.mark.parametrize(("latest", "where"), [(None, "all test rows"), (LATEST, "the latest test rows")])
def test_who_learnt_that_the_base_rate_moved_is_promoted_for_its_log_loss(latest, where):
    earned, why = gate_verdict(contest(USUAL, champion=OPTIMISTIC, latest=latest), MARGIN)
    judged = slice(None) if latest is None else latest
    gain = log_loss(LABEL[judged], USUAL[judged]) - log_loss(LABEL[judged], OPTIMISTIC[judged])
    assert (earned, why) == (True, f"better on {where} (log loss {gain:+.5f}, by paired bootstrap)")


@pytest.mark.parametrize(
    ("candidate", "champion", "why"),
    [
        (scores(2.1, moved=1.0), USUAL, "better in ROC-AUC, but worse in log loss"),
        (scores(1.9), OPTIMISTIC, "better in log loss, but worse in ROC-AUC"),
    ],
)
def test_who_is_better_in_one_measure_and_worse_in_the_other_is_not_promoted(candidate, champion, why):
    earned, reason = gate_verdict(contest(candidate, champion=champion), MARGIN)
    assert (earned, why in reason) == (False, True), reason


def test_a_cheaper_one_must_not_be_worse_in_log_loss():
    held = contest(scores(2.0, moved=0.3), candidate_cost=50.0)
    assert not gate_verdict(held, MARGIN)[0]


def test_where_time_is_known_older_rows_are_not_judged():
    """Neither one that is better lately and worse once, nor one that is better once and worse lately."""
    better_lately, better_once = np.where(LATEST, BETTER, scores(1.5)), np.where(LATEST, scores(1.95), scores(2.5))
    earned, why = gate_verdict(contest(better_lately, latest=LATEST), MARGIN)
    assert (earned, "better on the latest test rows" in why) == (True, True), why
    assert not gate_verdict(contest(better_lately), MARGIN)[0]
    assert not gate_verdict(contest(better_once, latest=LATEST), MARGIN)[0]
    assert gate_verdict(contest(better_once), MARGIN)[0]


def test_a_cheaper_one_is_held_against_the_best_on_the_judged_rows():
    """Those of years ago, which it is bad at, do not count."""
    candidate = np.where(LATEST, WORSE_BY_CHANCE, scores(1.5))
    held = contest(candidate, latest=LATEST, candidate_cost=50.0, best_roc_auc=roc_auc(LABEL[LATEST], USUAL[LATEST]))
    assert gate_verdict(held, MARGIN)[0]


def test_new_days_are_judged_with_the_latest_rows_however_old_they_are():
    candidate = np.where(NEW, scores(3.0), USUAL)
    earned, why = gate_verdict(contest(candidate, latest=LATEST, new=NEW), MARGIN)
    assert (earned, "better on the latest test rows" in why) == (True, True), why
    assert not gate_verdict(contest(candidate, latest=LATEST), MARGIN)[0]


WORSE_ELSEWHERE = scores(1.94, moved=0.3)


@pytest.mark.parametrize(
    ("on_new_days", "promoted"),
    [(USUAL, True), (scores(1.9), False), (scores(2.0, moved=0.9), True), (scores(2.0, moved=0.99), False)],
    ids=["better in log loss", "worse in ROC-AUC", "above the margin", "within the margin"],
)
def test_on_new_days_a_log_loss_counts_by_a_margin(on_new_days, promoted):
    champion, candidate = np.where(NEW, OPTIMISTIC, USUAL), np.where(NEW, on_new_days, WORSE_ELSEWHERE)
    earned, why = gate_verdict(contest(candidate, champion=champion, new=NEW), MARGIN)
    assert (earned, "on the labelled days that the champion did not see (log loss -" in why) == (promoted, promoted), (
        why
    )


@pytest.mark.parametrize(("rows", "promoted"), [(99, False), (100, True)])
def test_a_hundred_new_rows_are_enough(rows, promoted):
    new = np.arange(ROWS) < rows
    candidate = np.where(new, np.where(LABEL == 1, 0.99, 0.01), scores(1.9))
    assert gate_verdict(contest(candidate, new=new), MARGIN)[0] is promoted


@pytest.mark.parametrize(
    ("share_above", "better", "worse"), [(0.99, True, False), (0.96, False, False), (0.04, False, False),
                                         (0.01, False, True)],
)  # fmt: skip
@pytest.mark.parametrize("measure", ["roc_auc", "log_loss"])
def test_sure_is_what_97_of_100_replicates_say_either_way(monkeypatch, measure, share_above, better, worse):
    above = np.arange(400) < 400 * share_above
    gains = {"roc_auc": np.zeros(400), "log_loss": np.zeros(400)} | {measure: np.where(above, 1.0, -1.0)}
    monkeypatch.setattr("tasks.training.gate.paired_gains", lambda *given, **named: gains)
    compared = compare(contest(USUAL), np.ones(ROWS, bool))
    assert (measure in compared.better, measure in compared.worse) == (better, worse)


def test_new_days_of_failures_alone_promote_nobody():
    failures = (np.arange(ROWS) < 2 * NEW_ROWS) & (LABEL == 0)
    candidate = np.where(failures, scores(2.0, moved=-1.0), WORSE_ELSEWHERE)
    assert not gate_verdict(contest(candidate, new=failures), MARGIN)[0]


def test_the_cases_are_what_they_say():
    """Or a case above could pass for a reason that is none."""
    usual = roc_auc(LABEL, USUAL)
    assert 0 < roc_auc(LABEL, BETTER_BY_CHANCE) - usual < MARGIN
    assert 0 < usual - roc_auc(LABEL, WORSE_BY_CHANCE) < MARGIN < roc_auc(LABEL, BETTER) - usual
    assert abs(roc_auc(LABEL, BETTER_ON_NEW) - usual) < 5 * MARGIN
    assert roc_auc(LABEL[NEW], BETTER_ON_NEW[NEW]) > roc_auc(LABEL[NEW], USUAL[NEW]) + MARGIN
    assert 0 < roc_auc(LABEL[NEW], HARDLY_BETTER_ON_NEW[NEW]) - roc_auc(LABEL[NEW], USUAL[NEW]) < MARGIN


def test_quality_cannot_sink_a_margin_a_week():
    """Each a little worse and cheaper than the one before: the line of champions ends at a margin below the best.

    Each is a little better calibrated, too: its log loss gives no reason to decline it.
    """
    champion, best, cost = scores(2.0, sharpness=1.0), roc_auc(LABEL, USUAL), 100.0
    for week in range(1, 30):
        candidate = scores(2.0 - 0.003 * week, sharpness=1.0 + 0.02 * week)
        held = contest(candidate, champion=champion, champion_cost=cost, candidate_cost=cost - 1, best_roc_auc=best)
        if gate_verdict(held, MARGIN)[0]:
            champion, cost = candidate, cost - 1
    assert cost < 100.0
    assert best - roc_auc(LABEL, champion) <= MARGIN
