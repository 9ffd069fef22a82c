"""Choose the cheapest forest that is as good as the best, by the one-standard-error rule."""

from dataclasses import asdict, dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from campaign.forest import Forest
from campaign.settings import Settings
from tasks.encode import Parts
from tasks.grow import Examples, Size
from tasks.metrics import log_loss, paired_differences, roc_auc
from tasks.search import Searched, examples_of, grown_of
from tasks.search_space import ForestParams
from tasks.track import Run, reporting_to

TOLERANCE = 0.0005
LOG_LOSS_SLACK = 0.10
MOST_VERIFIED = 8


@dataclass(frozen=True)
class Candidate:
    """A trial's forest, cut to its first trees."""

    trial: int
    params: ForestParams
    size: Size


@dataclass(frozen=True)
class Choice:
    """The forest to fit and the best one found, with validation figures of plain scikit-learn, and the reason."""

    chosen: Candidate
    best: Candidate
    standard_error: float
    reason: str


def candidates_of(study: optuna.Study) -> list[Candidate]:
    """Every prefix of every finished trial."""
    return [
        Candidate(trial.number, {**trial.params, "n_estimators": size.trees}, size)  # type: ignore[typeddict-item]
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        for size in grown_of(trial).sizes
    ]


def shortlist(candidates: list[Candidate], rows: int, tolerance: float = TOLERANCE) -> list[Candidate]:
    """The best first, then every cheaper one that may pass, the cheapest first.

    May pass: within what two independent ROC-AUC estimates differ by (Hanley & McNeil 1982, balanced classes), which
    the paired error that decides does not exceed.
    """
    best = max(candidates, key=lambda one: (one.size.roc_auc, -one.size.cost))
    auc = best.size.roc_auc
    spread = auc / (2 - auc) + 2 * auc**2 / (1 + auc) - 2 * auc**2
    error = np.sqrt(2 * (auc * (1 - auc) + (rows / 2 - 1) * spread) / (rows / 2) ** 2)
    near = [
        one for one in candidates if auc - one.size.roc_auc <= max(tolerance, error) and one.size.cost < best.size.cost
    ]
    calm = [one for one in near if one.size.log_loss <= best.size.log_loss * (1 + LOG_LOSS_SLACK)]
    return [best, *sorted(calm, key=lambda one: one.size.cost)]


def choose_forest(candidates: list[Candidate], examples: Examples, seed: int, tolerance: float = TOLERANCE) -> Choice:
    """Verify the shortlist with plain scikit-learn, the library of the final fit; the first that holds is chosen.

    Holds: its validation ROC-AUC within one bootstrap standard error of the paired difference to the best, or within
    `tolerance` where that is more, and its log loss within 10 % of the best's.
    """
    best, *cheaper = shortlist(candidates, len(examples.validation), tolerance)
    best, best_probability = verify(best, examples, seed)
    label = examples.validation_label
    for candidate in cheaper[:MOST_VERIFIED]:
        verified, probability = verify(candidate, examples, seed)
        error = float(paired_differences(label, best_probability, probability).std())
        loss = best.size.roc_auc - verified.size.roc_auc
        if loss <= max(tolerance, error) and verified.size.log_loss <= best.size.log_loss * (1 + LOG_LOSS_SLACK):
            cheap = best.size.cost / verified.size.cost
            reason = f"{cheap:.1f} times cheaper to score than the best, for {loss:+.5f} of validation ROC-AUC lost"
            return Choice(verified, best, error, reason)
    return Choice(best, best, 0.0, "the best found: no cheaper one is as good")


def verify(candidate: Candidate, examples: Examples, seed: int) -> tuple[Candidate, NDArray[np.float64]]:
    """The candidate with figures of a plain scikit-learn fit on train, and its probabilities on validation rows."""
    from sklearn.ensemble import RandomForestClassifier

    fitted = RandomForestClassifier(**candidate.params, random_state=seed, n_jobs=-1)
    forest = Forest.from_sklearn(fitted.fit(examples.train, examples.train_label))
    probability = forest.predict(examples.validation)
    label, trees = examples.validation_label, candidate.params["n_estimators"]
    size = Size(trees, roc_auc(label, probability), log_loss(label, probability), float(forest.cost(trees)))
    return Candidate(candidate.trial, candidate.params, size), probability


@task(timeout_seconds=3 * 3600, cache_policy=NO_CACHE)
def choose(searched: Searched, parts: Parts, run: Run) -> Choice:
    """Name the forest to fit, and the best one beside it."""
    import mlflow

    study = optuna.load_study(study_name=searched.study, storage=Settings().optuna_url)
    choice = choose_forest(candidates_of(study), examples_of(parts), searched.seed)
    chosen, best = choice.chosen.size, choice.best.size
    get_run_logger().info(
        "Chosen: trial %d cut to %d trees, ROC-AUC %.5f (best: trial %d, %d trees, %.5f): %s",
        choice.chosen.trial, chosen.trees, chosen.roc_auc, choice.best.trial, best.trees, best.roc_auc, choice.reason,
    )  # fmt: skip
    with reporting_to(run):
        mlflow.log_dict(asdict(choice), "search/choice.json")
        mlflow.log_metrics({
            "validation_roc_auc": chosen.roc_auc, "validation_log_loss": chosen.log_loss, "scoring_cost": chosen.cost,
            "best_validation_roc_auc": best.roc_auc, "best_scoring_cost": best.cost,
        })  # fmt: skip
    return choice
