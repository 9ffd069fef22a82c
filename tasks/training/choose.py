"""Choose the recipe that is fitted: the default, unless another is surely better, and the cheapest that is as good."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState
from prefect import get_run_logger, task

from campaign.decision import THRESHOLD, threshold_of
from campaign.forest import Forest
from campaign.linear import shifted
from campaign.schema_parts import Gain, Share
from campaign.settings import Settings
from tasks.measures import losses
from tasks.mlflow_run import Run, reporting_to
from tasks.retries import RETRIES
from tasks.training.encode import Parts
from tasks.training.examples import Examples, examples_of
from tasks.training.grow import Size, fit_trees, prefixes_of
from tasks.training.search import Searched
from tasks.training.search_space import Recipe, forest_params, is_default, recipe_of
from tasks.training.shift import learn_shift
from tasks.training.study import grown_of, place_of

LOG_LOSS_TOLERANCE = 0.005  # of the best's
STANDARD_ERRORS = 2
SURELY_BETTER = 0.8  # of the default's log loss: what is below it needs no closer look at the default


@dataclass(frozen=True)
class Candidate:
    """A trial's recipe, cut to its first trees. Trials are counted from 1."""

    trial: int
    params: Recipe
    size: Size


@dataclass(frozen=True)
class Choice:
    """The recipe to fit and the best one found, with figures on rows not fitted, and the reason.

    `gain` is what the best one's log loss is below the default's, `standard_error` that of the paired difference;
    `rows` is how many each was fitted on, `judged_rows` how many each was judged on, the latest ones if `by_time`.
    `shift` is added to the log-odds; `threshold` is the probability above which a success is predicted.
    """

    chosen: Candidate
    best: Candidate
    gain: float
    standard_error: float
    reason: str
    rows: int
    judged_rows: int
    by_time: bool
    shift: float = 0.0
    threshold: float = THRESHOLD


@dataclass(frozen=True, eq=False)
class Verified:
    """A candidate fitted once more, with its probabilities on the judged rows."""

    candidate: Candidate
    probability: NDArray[np.float64]

    @property
    def size(self) -> Size:
        return self.candidate.size


def candidates_of(study: optuna.Study) -> list[Candidate]:
    """Every prefix of every finished trial."""
    return [
        Candidate(place_of(trial), recipe_of(trial.params, size.trees), size)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        for size in grown_of(trial).sizes
    ]


def default_trial(study: optuna.Study, knows_time: bool) -> int | None:
    """The trial of the default; None if it was never finished."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((place_of(trial) for trial in finished if is_default(trial.params, knows_time)), None)


def loss_saved(label: NDArray[np.int8], before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    """The mean by which the log loss of rows is less, and the standard error of that paired difference."""
    difference = losses(label, before) - losses(label, after)
    return float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))


def shortlist(candidates: Sequence[Candidate], default: int | None) -> list[int]:
    """The trials worth a closer look: the best one, and the default unless it is far behind."""
    whole = {candidate.trial: largest(candidates, candidate.trial) for candidate in candidates}
    best = min(whole.values(), key=lambda candidate: (candidate.size.log_loss, candidate.size.cost))
    if default is None or best.size.log_loss < SURELY_BETTER * whole[default].size.log_loss:
        return [best.trial]
    return list(dict.fromkeys([best.trial, default]))


def choose_recipe(
    candidates: Sequence[Candidate], default: int | None, examples: Examples, seed: int, tolerance: float
) -> tuple[Choice, NDArray[np.float64]]:
    """Fit the shortlist once more, with the seed of the final fit, and choose.

    The default is left only for what has a log loss lower by two standard errors of the paired difference. Of the
    winner's trees are kept as many as are needed to be within the tolerance of all of them. Gives the probabilities of
    the chosen one on the judged rows, too.
    """
    verified = [verify(largest(candidates, trial), examples, seed) for trial in shortlist(candidates, default)]
    # Compared whole: the prefix that does best does so by chance.
    best = min(verified, key=lambda prefixes: (prefixes[-1].size.log_loss, prefixes[-1].size.cost))
    usual = next((prefixes for prefixes in verified if prefixes[0].candidate.trial == default), None)
    winner, gain, error, reason = best, 0.0, 0.0, "the best found"
    if usual is None and default is not None:
        gain = largest(candidates, default).size.log_loss - best[-1].size.log_loss
        reason = f"better than the default (log loss {-gain:+.5f})"
    elif usual is not None and usual is not best:
        gain, error = loss_saved(examples.judged.y, usual[-1].probability, best[-1].probability)
        if gain > STANDARD_ERRORS * error:
            reason = f"better than the default (log loss {-gain:+.5f})"
        else:
            winner, reason = usual, "the default, which none is surely better than"
    elif usual is not None:
        reason = "the default, which is the best found"
    chosen = fewest_trees(winner, examples.judged.y, tolerance)
    if chosen is not winner[-1]:
        times, change = winner[-1].size.cost / chosen.size.cost, chosen.size.roc_auc - winner[-1].size.roc_auc
        reason += f"; with fewer trees, {1 - 1 / times:.0%} cheaper to score (ROC-AUC {change:+.5f})"
    choice = Choice(
        chosen.candidate, best[-1].candidate, gain, error, reason, len(examples.fitted.y), len(examples.judged.y),
        examples.by_time,
    )  # fmt: skip
    return choice, chosen.probability


def fewest_trees(prefixes: Sequence[Verified], label: NDArray[np.int8], tolerance: float) -> Verified:
    """The smallest prefix that is as good as the whole forest, as all larger ones are.

    As good: within the tolerance in ROC-AUC and, by two standard errors, in log loss. Few rows cannot tell, so all
    trees stay.
    """
    whole = smallest = prefixes[-1]
    for prefix in reversed(prefixes[:-1]):
        saved, error = loss_saved(label, whole.probability, prefix.probability)
        most = LOG_LOSS_TOLERANCE * whole.size.log_loss
        if whole.size.roc_auc - prefix.size.roc_auc > tolerance or STANDARD_ERRORS * error - saved > most:
            break
        smallest = prefix
    return smallest


def largest(candidates: Sequence[Candidate], trial: int) -> Candidate:
    """The uncut forest of a trial."""
    return max(
        (candidate for candidate in candidates if candidate.trial == trial), key=lambda candidate: candidate.size.trees
    )


def verify(candidate: Candidate, examples: Examples, seed: int) -> list[Verified]:
    """Every prefix of another fit, with its figures and its probabilities on the judged rows."""
    recipe = candidate.params
    prepared, judged = examples.prepared(recipe)
    trees = fit_trees(forest_params(recipe), prepared, recipe["n_estimators"], seed)
    predictor = prepared.predictor(Forest.from_trees(trees).with_leaf_shares(prepared.X, prepared.y, prepared.weight))
    return [
        Verified(Candidate(candidate.trial, recipe_of(recipe, size.trees), size), probability)
        for size, probability in prefixes_of(predictor, judged, examples.judged.y)
    ]


def decide_on(
    choice: Choice, probability: NDArray[np.float64], examples: Examples, decide: float | Gain | Share
) -> Choice:
    """The choice with its shift and its threshold, learnt from rows that the fit judged had not seen."""
    recipe, shift = choice.chosen.params, 0.0
    if examples.by_time and recipe["linear"]:
        shift = learn_shift(examples.fitted, recipe, examples.judged.y, probability)
    threshold = threshold_of(decide, shifted(probability, shift))
    return replace(choice, shift=shift, threshold=threshold)


@task(timeout_seconds=3 * 3600, **RETRIES)
def choose(searched: Searched, parts: Parts, run: Run) -> Choice:
    """Name the recipe to fit, and the best one beside it."""
    import mlflow

    study = optuna.load_study(study_name=searched.study, storage=Settings().optuna_url)
    examples = examples_of(parts)
    default = default_trial(study, examples.knows_time)
    tolerance = Settings().tolerance
    choice, probability = choose_recipe(candidates_of(study), default, examples, searched.seed, tolerance)
    choice = decide_on(choice, probability, examples, parts.schema.outcome.decide)
    chosen, best = choice.chosen.size, choice.best.size
    get_run_logger().info(
        "Chosen: trial %d with %d trees, log loss %.5f, ROC-AUC %.5f (best: trial %d, %d trees, %.5f): %s",
        choice.chosen.trial, chosen.trees, chosen.log_loss, chosen.roc_auc,
        choice.best.trial, best.trees, best.log_loss, choice.reason,
    )  # fmt: skip
    with reporting_to(run):
        mlflow.log_dict(asdict(choice), "search/choice.json")
        mlflow.log_metrics({
            "validation_roc_auc": chosen.roc_auc, "validation_log_loss": chosen.log_loss, "scoring_cost": chosen.cost,
            "search_rows": searched.rows, "best_validation_roc_auc": best.roc_auc, "best_scoring_cost": best.cost,
            "best_validation_log_loss": best.log_loss, "shift": choice.shift,
        })  # fmt: skip
    return choice
