import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.measures import (
    Ranked,
    calibration_error,
    classification_metrics,
    confidence_intervals,
    log_loss,
    losses,
    paired_gains,
    roc_auc,
)

# Few distinct values, so that most samples hold ties; the ends, where a log loss is clipped; and the threshold itself.
PROBABILITIES = st.sampled_from([0.0, 1e-9, 0.2, 0.5, 0.5000001, 0.7, 1.0]) | st.floats(0, 1)
ROWS = st.lists(st.tuples(st.integers(0, 1), PROBABILITIES, st.integers(0, 3)), min_size=2, max_size=40)


def columns(rows: list[tuple[int, float, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    label, probability, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    assume(len({*label[weight > 0]}) == 2)
    return label, probability, weight


def by_sklearn(label: np.ndarray, probability: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    predicted = probability > threshold
    return {
        "accuracy": sk.accuracy_score(label, predicted),
        "precision": sk.precision_score(label, predicted, zero_division=np.nan),
        "recall": sk.recall_score(label, predicted),
        "f1": sk.f1_score(label, predicted),
        "roc_auc": sk.roc_auc_score(label, probability),
        "pr_auc": sk.average_precision_score(label, probability),
        "log_loss": sk.log_loss(label, probability),
        "brier": sk.brier_score_loss(label, probability),
    }


@given(ROWS)
def test_every_metric_is_that_of_scikit_learn(rows):
    label, probability, _ = columns([(label, probability, 1) for label, probability, _ in rows])
    assert classification_metrics(label, probability) == pytest.approx(
        by_sklearn(label, probability), abs=1e-9, nan_ok=True
    )


@given(ROWS, st.sampled_from([0.2, 0.5, 0.7]))
def test_rows_that_stand_for_many_count_in_every_metric_that_many_times(rows, threshold):
    """Also where they do in none: a mean is over rows, not over distinct pairs."""
    label, probability, weight = columns(rows)
    repeated = [np.repeat(column, weight.astype(int)) for column in (label, probability)]
    assert classification_metrics(label, probability, weight, threshold) == pytest.approx(
        by_sklearn(*repeated, threshold), abs=1e-9, nan_ok=True
    )
    assert calibration_error(label, probability, weight) == pytest.approx(calibration_error(*repeated), abs=1e-9)


@pytest.mark.parametrize(
    ("only", "unknown"), [(0, {"roc_auc", "pr_auc", "precision", "recall", "f1"}), (1, {"roc_auc"})]
)
def test_what_one_class_does_not_tell_is_nan(only, unknown):
    probability = np.array([0.1, 0.2, 0.3]) + 0.6 * only
    metrics = classification_metrics(np.full(3, only), probability)
    assert {name for name, value in metrics.items() if np.isnan(value)} == unknown
    spread = confidence_intervals(np.full(3, only), probability, replicates=5)
    assert np.isnan(spread["roc_auc"]).all()
    assert not np.isnan(spread["brier"]).any()
    gains = paired_gains(np.full(3, only), probability, probability / 2, replicates=5)
    assert (len(gains["roc_auc"]), len(gains["log_loss"])) == (0, 5)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    truth = 0.7602  # Φ(1 / √2): two normals one standard deviation apart
    covered = []
    for seed in range(60):
        label = rng.integers(2, size=300)
        low, high = confidence_intervals(label, rng.normal(label), replicates=100, seed=seed)["roc_auc"]
        covered.append(low <= truth <= high)
    assert 0.85 <= np.mean(covered) <= 1


def test_an_interval_is_that_of_95_of_100_around_the_metric_of_the_decision():
    rng, threshold = np.random.default_rng(5), 0.25
    label = (rng.random(4_000) < 0.2).astype(np.int8)
    probability = rng.choice([0.1, 0.2, 0.3, 0.4], size=4_000) + 0.1 * label
    intervals = confidence_intervals(label, probability, replicates=2_000, threshold=threshold)
    metrics = classification_metrics(label, probability, threshold=threshold)
    assert intervals.keys() == metrics.keys()
    for name, (low, high) in intervals.items():
        assert low < metrics[name] < high
        assert (low + high) / 2 == pytest.approx(metrics[name], abs=(high - low) / 10)
    of_rows = {
        "accuracy": (probability > threshold) == label,
        "log_loss": losses(label, probability),
        "brier": (label - probability) ** 2,
    }
    for name, values in of_rows.items():
        low, high = intervals[name]
        assert high - low == pytest.approx(2 * 1.96 * values.std() / 4_000**0.5, rel=0.08)


def test_an_interval_is_the_same_each_time():
    label, probability = np.tile([0, 1], 50), np.linspace(0, 1, 100)
    first = confidence_intervals(label, probability, replicates=20)
    assert confidence_intervals(label, probability, replicates=20) == first
    assert confidence_intervals(label, probability, replicates=20, seed=2) != first


def test_the_sampling_error_of_a_roc_auc_is_what_it_spreads_by_from_sample_to_sample():
    rng = np.random.default_rng(5)
    areas, variances = [], []
    for _ in range(300):
        label = (rng.random(200) < 0.3).astype(np.float64)
        ranked = Ranked.of(rng.normal(label).round(1))
        areas.append(ranked.roc_auc(label, np.ones(200)))
        variances.append(ranked.roc_auc_variance(label, np.ones(200)))
    assert np.mean(variances) ** 0.5 == pytest.approx(np.std(areas), rel=0.1)
    # Four rows, by hand: successes stand above 1/2 and 1 of the failures, failures below 1/2 and 1 of the successes.
    four = Ranked.of(np.array([0.1, 0.2, 0.2, 0.3])), np.array([0.0, 0.0, 1.0, 1.0])
    assert four[0].roc_auc_variance(four[1], np.ones(4)) == pytest.approx(2 * 0.03125 / 2)
    assert np.isnan(four[0].roc_auc_variance(np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4)))


@pytest.mark.parametrize(
    ("measure", "gain"),
    [
        ("roc_auc", lambda label, better, worse: roc_auc(label, better) - roc_auc(label, worse)),
        ("log_loss", lambda label, better, worse: log_loss(label, worse) - log_loss(label, better)),
    ],
)
def test_a_paired_gain_is_by_how_much_one_is_better_than_the_other_on_the_same_rows(measure, gain):
    rng = np.random.default_rng(5)
    label = rng.integers(2, size=500)
    better, worse = (1 / (1 + np.exp(-rng.normal(signal * (2 * label - 1)))) for signal in (1.0, 0.1))

    def drawn(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return paired_gains(label, one, other, replicates=100)[measure]

    assert (drawn(better, worse) > 0).all()
    assert drawn(better, worse) == pytest.approx(-drawn(worse, better))
    assert drawn(better, worse).mean() == pytest.approx(gain(label, better, worse), abs=0.02)
    # A pair that differs nowhere has no error at all; two samples drawn apart would.
    assert (drawn(better, better) == 0).all()


def test_a_gain_in_log_loss_spreads_as_the_mean_of_row_losses_does():
    """Its bootstrap works on cells of equal rows."""
    rng = np.random.default_rng(5)
    label = rng.integers(2, size=2_000)
    candidate, rival = rng.choice([0.2, 0.4, 0.7], size=(2, 2_000))
    saved = losses(label, rival) - losses(label, candidate)
    drawn = paired_gains(label, candidate, rival, replicates=400)["log_loss"]
    assert drawn.std() == pytest.approx(saved.std() / np.sqrt(2_000), rel=0.1)


def test_a_calibration_error_is_what_a_probability_lies_off_in_the_mean():
    rng = np.random.default_rng(5)
    truth = rng.random(200_000)
    label = (rng.random(len(truth)) < truth).astype(np.int8)
    assert calibration_error(label, truth) < 0.01
    assert calibration_error(label, truth * 0.8 + 0.2) == pytest.approx(0.1, abs=0.01)
    # Too low by a tenth in one half, too high in the other: nothing makes up for it.
    too_sure = np.where(truth < 0.5, truth * 0.6, 1 - (1 - truth) * 0.6)
    assert calibration_error(label, too_sure) == pytest.approx(0.1, abs=0.01)


def test_a_calibration_error_does_not_depend_on_the_order_of_rows():
    label = np.repeat([0, 1], 500)
    constant = np.full(1000, 0.5)
    assert calibration_error(label, constant) == pytest.approx(0)
    assert calibration_error(label, constant + 0.2) == pytest.approx(0.2)
    coarse = np.repeat([0.1, 0.3, 0.7, 0.9], 250)
    mixed = np.random.default_rng(5).permutation(1000)
    assert calibration_error(label[mixed], coarse[mixed]) == pytest.approx(calibration_error(label, coarse))


def test_a_calibration_error_of_fewer_rows_than_bins_is_that_of_each_row():
    assert calibration_error(np.array([0, 1, 1]), np.array([0.25, 0.5, 1.0])) == pytest.approx(0.25)
