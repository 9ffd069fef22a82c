"""Choose the cheapest forest that is as good as the best, by the one-standard-error rule."""

from dataclasses import asdict, dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState
from prefect import get_run_logger, task

from campaign.decision import THRESHOLD, threshold_of
from campaign.forest import Forest
from campaign.schema_parts import Gain, Share
from campaign.settings import Settings
from tasks.measures import paired_differences
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.training.encode import Parts
from tasks.training.examples import examples_of
from tasks.training.fit_forest import fit_forest
from tasks.training.grow import Examples, Size, prefixes_of
from tasks.training.search import Searched
from tasks.training.search_space import ForestParams
from tasks.training.study import grown_of

TOLERANCE = 0.0005
LOG_LOSS_SLACK = 0.10
MAX_VERIFIED = 3


@dataclass(frozen=True)
class Candidate:
    """A trial's forest, cut to its first trees."""

    trial: int
    params: ForestParams
    size: Size


@dataclass(frozen=True)
class Choice:
    """The forest to fit and the best one found, with validation figures of plain scikit-learn, and the reason.

    `rows` is how many each was fitted on, `threshold` the probability above which a success is predicted.
    """

    chosen: Candidate
    best: Candidate
    standard_error: float
    reason: str
    rows: int
    threshold: float = THRESHOLD


def candidates_of(study: optuna.Study) -> list[Candidate]:
    """Every prefix of every finished trial."""
    return [
        Candidate(trial.number, {**trial.params, "n_estimators": size.trees}, size)  # type: ignore[typeddict-item]
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        for size in grown_of(trial).sizes
    ]


def shortlist(candidates: list[Candidate], rows: int, tolerance: float = TOLERANCE) -> list[int]:
    """The trials worth a closer look: that of the best forest, then those with the cheapest one that may pass.

    May pass: within what two independent ROC-AUC estimates differ by (Hanley & McNeil 1982, balanced classes), which
    the paired error that decides does not exceed.
    """
    best = max(candidates, key=lambda candidate: (candidate.size.roc_auc, -candidate.size.cost))
    auc = best.size.roc_auc
    spread = auc / (2 - auc) + 2 * auc**2 / (1 + auc) - 2 * auc**2
    error = np.sqrt(2 * (auc * (1 - auc) + (rows / 2 - 1) * spread) / (rows / 2) ** 2)
    may_pass = [
        candidate for candidate in candidates
        if auc - candidate.size.roc_auc <= max(tolerance, error)
        and candidate.size.log_loss <= best.size.log_loss * (1 + LOG_LOSS_SLACK)
    ]  # fmt: skip
    cheapest_first = sorted(may_pass, key=lambda candidate: candidate.size.cost)
    trials = [best.trial, *(candidate.trial for candidate in cheapest_first)]
    return list(dict.fromkeys(trials))[:MAX_VERIFIED]


def choose_forest(
    candidates: list[Candidate],
    examples: Examples,
    seed: int,
    tolerance: float = TOLERANCE,
    decide: float | Gain | Share = THRESHOLD,
) -> Choice:
    """Fit the shortlist with plain scikit-learn, the library of the final fit, and choose among all prefixes.

    Chosen is the cheapest whose validation ROC-AUC is within one bootstrap standard error of the paired difference to
    the best, or within `tolerance` where that is more, and whose log loss is within 10 % of the best's.
    """
    trials = shortlist(candidates, len(examples.validation), tolerance)
    verified = [pair for trial in trials for pair in verify(largest(candidates, trial), examples, seed)]
    best, best_probability = max(verified, key=lambda pair: (pair[0].size.roc_auc, -pair[0].size.cost))
    for candidate, probability in sorted(verified, key=lambda pair: pair[0].size.cost):
        loss = best.size.roc_auc - candidate.size.roc_auc
        if candidate is best or candidate.size.log_loss > best.size.log_loss * (1 + LOG_LOSS_SLACK):
            continue
        error = float(paired_differences(examples.validation_label, best_probability, probability).std())
        if loss <= max(tolerance, error) and candidate.size.cost < best.size.cost:
            times = best.size.cost / candidate.size.cost
            reason = f"{times:.1f} times cheaper to score than the best, for {loss:.5f} of validation ROC-AUC"
            return Choice(candidate, best, error, reason, len(examples.train), threshold_of(decide, probability))
    reason, threshold = "the best found, and no cheaper one is as good", threshold_of(decide, best_probability)
    return Choice(best, best, 0.0, reason, len(examples.train), threshold)


def largest(candidates: list[Candidate], trial: int) -> Candidate:
    """The uncut forest of a trial."""
    return max(
        (candidate for candidate in candidates if candidate.trial == trial), key=lambda candidate: candidate.size.trees
    )


def verify(candidate: Candidate, examples: Examples, seed: int) -> list[tuple[Candidate, NDArray[np.float64]]]:
    """Every prefix of a plain scikit-learn fit on train, with its figures and its probabilities on validation rows."""
    forest = Forest.from_sklearn(fit_forest(candidate.params, examples.train, examples.train_label, seed))
    return [
        (Candidate(candidate.trial, {**candidate.params, "n_estimators": size.trees}, size), probability)
        for size, probability in prefixes_of(forest, examples)
    ]


@task(timeout_seconds=3 * 3600, **RETRIES)
def choose(searched: Searched, parts: Parts, run: Run) -> Choice:
    """Name the forest to fit, and the best one beside it."""
    import mlflow

    study = optuna.load_study(study_name=searched.study, storage=Settings().optuna_url)
    decide = parts.schema.outcome.decide
    choice = choose_forest(candidates_of(study), examples_of(parts), searched.seed, decide=decide)
    chosen, best = choice.chosen.size, choice.best.size
    get_run_logger().info(
        "Chosen: trial %d cut to %d trees, ROC-AUC %.5f (best: trial %d, %d trees, %.5f): %s",
        choice.chosen.trial, chosen.trees, chosen.roc_auc, choice.best.trial, best.trees, best.roc_auc, choice.reason,
    )  # fmt: skip
    with reporting_to(run):
        mlflow.log_dict(asdict(choice), "search/choice.json")
        mlflow.log_metrics({
            "validation_roc_auc": chosen.roc_auc, "validation_log_loss": chosen.log_loss, "scoring_cost": chosen.cost,
            "search_rows": searched.rows, "best_validation_roc_auc": best.roc_auc, "best_scoring_cost": best.cost,
        })  # fmt: skip
    return choice
