"""The gate: a new version becomes champion only if it earns that."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.settings import Settings
from tasks.training.model_card import verdict_section
from tasks.training.encode import Parts
from tasks.measures import paired_differences, roc_auc
from tasks.retries import RETRIES
from tasks.training.register import Registered
from tasks.model_versions import CHALLENGER, CHAMPION, REASON, find_champion, list_versions, load_version, make_champion
from tasks.mlflow_run import Run, reporting_to
from tasks.training.validate import DAY, Dataset

MIN_NEW_ROWS = 100
ROLE = {True: CHAMPION, False: CHALLENGER}


@dataclass(frozen=True)
class Contest:
    """Test rows and what two models say of them. `new` marks the rows of labelled days that the champion lacks.

    `best_roc_auc` is that of the best version ever promoted, on the same rows.
    """

    label: NDArray[np.int8]
    new: NDArray[np.bool_]
    candidate: NDArray[np.float64]
    champion: NDArray[np.float64]
    candidate_cost: float
    champion_cost: float
    best_roc_auc: float


@dataclass(frozen=True)
class Verdict:
    """What became of a version, and the ROC-AUC of both sides on the base rows and on the newest labelled days."""

    version: str
    promoted: bool
    reason: str
    champion: str
    roc_auc: dict[str, dict[str, float]] = field(default_factory=dict)


def gate_verdict(contest: Contest, margin: float) -> tuple[bool, str]:
    """Whether the candidate is promoted, and why.

    Promoted when better by paired bootstrap; or within `margin` of the best version ever promoted and cheaper to score,
    so that quality cannot sink a margin a week; or better on labelled days that it learnt from and the champion lacks.
    """
    difference = roc_auc(contest.label, contest.candidate) - roc_auc(contest.label, contest.champion)
    if _surely_better(contest, np.ones(len(contest.label), bool)):
        return True, f"better on all test rows (ROC-AUC {difference:+.5f}, by paired bootstrap)"
    if contest.new.sum() >= MIN_NEW_ROWS and _surely_better(contest, contest.new, margin):
        rows = contest.new
        gain = roc_auc(contest.label[rows], contest.candidate[rows]) - roc_auc(
            contest.label[rows], contest.champion[rows]
        )
        return True, f"better on the labelled days that the champion did not see (ROC-AUC {gain:+.5f})"
    short = contest.best_roc_auc - roc_auc(contest.label, contest.candidate)
    if short <= margin and contest.candidate_cost < contest.champion_cost:
        return True, (
            f"{contest.champion_cost / contest.candidate_cost:.1f} times cheaper to score, and within {margin} of the "
            f"best version ever promoted (ROC-AUC {-short:+.5f})"
        )
    return False, f"not better than the champion (ROC-AUC {difference:+.5f} on all test rows)"


def _surely_better(contest: Contest, rows: NDArray[np.bool_], by: float = 0.0) -> bool:
    """Whether the gain is above `by`, and above zero in 97.5 % of bootstrap replicates."""
    label, one, other = contest.label[rows], contest.candidate[rows], contest.champion[rows]
    drawn = paired_differences(label, one, other, replicates=400)
    return len(drawn) > 0 and float(np.quantile(drawn, 0.025)) > 0 and float(np.mean(drawn)) > by


def probabilities(model: ScoringModel, path: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a model says of some rows of a gathered data set."""
    scored = [model.score(batch)[0] for batch in read_campaigns(path, model.encoder.features)]
    return np.concatenate(scored)[rows]


def compare_with_champion(registered: Registered, parts: Parts, data: Dataset) -> tuple[bool, str, str, dict[str, dict[str, float]]]:
    """Compare with the champion on test rows: promoted or not, why, the champion so far, both sides' ROC-AUC."""
    champion = find_champion(registered.model)
    if champion is None:
        return True, "the first version", "", {}
    if champion.number == registered.number:  # an earlier try of this task got that far
        return True, champion.tags.get(REASON, ""), "", {}
    rows, label = parts.rows("test"), parts.labels("test")
    reigning, candidate = load_version(champion), ScoringModel.load(Path(registered.folder), registered.number)
    days = pq.read_table(data.path, columns=[DAY]).column(0).take(pa.array(rows)).to_numpy(zero_copy_only=False)
    seen = reigning.about.get("days", {})
    unseen = [day for day, outcomes in data.days.items() if outcomes > seen.get(day, 0)]
    said = {model.version: probabilities(model, data.path, rows) for model in (candidate, reigning)}
    promoted = [version for version in list_versions(registered.model) if version.promoted_at]
    best = max(roc_auc(label, probabilities(load_version(version), data.path, rows)) for version in promoted)
    contest = Contest(
        label, np.isin(days, unseen), said[candidate.version], said[reigning.version],
        candidate.forest.cost(), reigning.forest.cost(), best,
    )  # fmt: skip
    earned, reason = gate_verdict(contest, Settings().gate_margin)
    parts_of_test = {"base": days == "", "new days": contest.new, "all": np.ones(len(label), bool)}
    aucs = {
        name: {"rows": int(mask.sum()), "candidate": roc_auc(label[mask], contest.candidate[mask]),
               "champion": roc_auc(label[mask], contest.champion[mask])}
        for name, mask in parts_of_test.items() if mask.any()
    }  # fmt: skip
    return earned, reason, champion.number, aucs


@task(timeout_seconds=900, **RETRIES)
def promote(registered: Registered, parts: Parts, data: Dataset, run: Run) -> Verdict:
    """Make the version champion or challenger, and say why in the model card."""
    import mlflow

    model, number = registered.model, registered.number
    earned, reason, before, aucs = compare_with_champion(registered, parts, data)
    with reporting_to(run) as connected:
        if earned:
            make_champion(model, number, reason)
        else:
            connected.set_registered_model_alias(model, CHALLENGER, number)
        verdict = Verdict(number, earned, reason, number if earned else before, aucs)
        card = registered.card + verdict_section(earned, reason, before, aucs)
        connected.update_model_version(model, number, card)
        connected.set_model_version_tag(model, number, "verdict", f"{ROLE[earned]}: {reason}")
        mlflow.log_text(card, "model_card.md")
    create_markdown_artifact(card, "model-card", f"Version {number} of {model}")
    uri = Settings().mlflow_ui
    if uri.startswith("http"):
        link = f"{uri}/#/models/{model}/list_versions/{number}"
        create_link_artifact(link, f"{model} {number}", key="registered-version")
    get_run_logger().info("Version %s is %s: %s", number, ROLE[earned], reason)
    return verdict
