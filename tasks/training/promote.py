"""Compare a new version with the champion, and make it champion if it earns that."""

from dataclasses import dataclass, field, replace
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
from tasks.labelled_days import unseen_labels
from tasks.measures import roc_auc
from tasks.mlflow_run import Run, reporting_to
from tasks.model_versions import (
    CHALLENGER,
    CHAMPION,
    REASON,
    Version,
    find_champion,
    list_versions,
    load_version,
    make_champion,
)
from tasks.retries import RETRIES
from tasks.training.encode import Parts
from tasks.training.gate import Contest, gate_verdict
from tasks.training.model_card import verdict_section
from tasks.training.register import Registered
from tasks.training.validate import DAY, Dataset

ROLE = {True: CHAMPION, False: CHALLENGER}


@dataclass(frozen=True)
class Verdict:
    """What became of a version, and the ROC-AUC of both sides on the base rows and on the newest labelled days."""

    version: str
    promoted: bool
    reason: str
    champion: str
    roc_auc: dict[str, dict[str, float]] = field(default_factory=dict)


def score_rows(model: ScoringModel, path: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probabilities that a model gives some rows of a gathered data set."""
    batches = read_campaigns(path, model.encoder.features)
    return np.concatenate([model.probabilities_of(batch) for batch in batches])[rows]


def hold_contest(
    candidate: ScoringModel, champion: ScoringModel, promoted: list[Version], data: Dataset, parts: Parts
) -> tuple[Contest, NDArray[np.str_]]:
    """Both models and the best of those ever promoted on the test rows; and the labelled day of each row."""
    rows, label = parts.rows("test"), parts.labels("test")
    days = pq.read_table(data.path, columns=[DAY]).column(0).take(pa.array(rows)).to_numpy(zero_copy_only=False)
    contest = Contest(
        label,
        np.isin(days, [*unseen_labels(champion, data.days)]),
        score_rows(candidate, data.path, rows),
        score_rows(champion, data.path, rows),
        candidate.cost(),
        champion.cost(),
        max(roc_auc(label, score_rows(load_version(version), data.path, rows)) for version in promoted),
    )
    return contest, days


def compare_parts(contest: Contest, days: NDArray[np.str_]) -> dict[str, dict[str, float]]:
    """ROC-AUC of both sides on the base rows, on labelled days that the champion lacks, and on all."""
    masks = {"base": days == "", "new days": contest.new, "all": np.ones(len(days), bool)}
    return {
        name: {
            "rows": int(mask.sum()),
            "candidate": roc_auc(contest.label[mask], contest.candidate[mask]),
            "champion": roc_auc(contest.label[mask], contest.champion[mask]),
        }
        for name, mask in masks.items()
        if mask.any()
    }


def compare_with_champion(registered: Registered, parts: Parts, data: Dataset) -> Verdict:
    """Whether a version is promoted, judged on test rows. `champion` is the one so far, empty if there was none."""
    champion = find_champion(registered.model)
    if champion is None:
        return Verdict(registered.number, True, "the first version", "")
    if champion.number == registered.number:  # an earlier try of this task got that far
        return Verdict(registered.number, True, champion.tags.get(REASON, ""), "")
    candidate = ScoringModel.load(Path(registered.folder), registered.number)
    promoted = [version for version in list_versions(registered.model) if version.promoted_at]
    contest, days = hold_contest(candidate, load_version(champion), promoted, data, parts)
    earned, reason = gate_verdict(contest, Settings().gate_margin)
    return Verdict(registered.number, earned, reason, champion.number, compare_parts(contest, days))


@task(timeout_seconds=900, **RETRIES)
def promote(registered: Registered, parts: Parts, data: Dataset, run: Run) -> Verdict:
    """Make the version champion or challenger, and say why in the model card."""
    import mlflow

    model, number = registered.model, registered.number
    verdict = compare_with_champion(registered, parts, data)
    role = ROLE[verdict.promoted]
    with reporting_to(run) as client:
        if verdict.promoted:
            make_champion(model, number, verdict.reason)
        else:
            client.set_registered_model_alias(model, CHALLENGER, number)
        card = registered.card + verdict_section(verdict.promoted, verdict.reason, verdict.champion, verdict.roc_auc)
        client.update_model_version(model, number, card)
        client.set_model_version_tag(model, number, "verdict", f"{role}: {verdict.reason}")
        mlflow.log_text(card, "model_card.md")
    create_markdown_artifact(card, "model-card", f"Version {number} of {model}")
    uri = Settings().mlflow_ui
    if uri.startswith("http"):
        link = f"{uri}/#/models/{model}/versions/{number}"
        create_link_artifact(link, f"{model} {number}", key="registered-version")
    get_run_logger().info("Version %s is %s: %s", number, role, verdict.reason)
    return replace(verdict, champion=number) if verdict.promoted else verdict
