"""Compare a new version with the champion, and make it champion if it earns that."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from campaign.errors import ModelMismatch
from campaign.model import REFERENCE, ScoringModel
from campaign.schema_file import served_model
from campaign.settings import Settings
from tasks.labelled_days import unseen_labels
from tasks.measures import log_loss, roc_auc
from tasks.mlflow_run import Run, reporting_to
from tasks.model_versions import (
    CHALLENGER,
    CHAMPION,
    REASON,
    Version,
    files_of,
    find_champion,
    find_version,
    list_versions,
    load_version,
    make_champion,
)
from tasks.retries import RETRIES
from tasks.training.contest import is_same_world, score_with_each
from tasks.training.encode import Parts
from tasks.training.gate import Contest, gate_verdict, judged_rows
from tasks.training.model_card import verdict_section
from tasks.training.register import Registered
from tasks.training.row_times import latest_rows
from tasks.training.validate import Dataset

Measure = Callable[[NDArray[np.generic], NDArray[np.float64]], float]
ROLE = {True: CHAMPION, False: CHALLENGER}


@dataclass(frozen=True)
class Verdict:
    """What became of a version, with the ROC-AUC and the log loss of both sides on parts of the test rows.

    `notes` name the versions that took no part; `expectation` says how well the version may be expected to do.
    """

    version: str
    promoted: bool
    reason: str
    champion: str
    roc_auc: dict[str, dict[str, float]] = field(default_factory=dict)
    log_loss: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    expectation: str = ""


def hold_contest(
    candidate: ScoringModel, champion: ScoringModel, promoted: dict[str, ScoringModel], data: Dataset, parts: Parts
) -> tuple[Contest | None, NDArray[np.str_], list[str]]:
    """Both models and the best of those ever promoted, on the test rows that both can read.

    Gives the labelled day of each of those rows, and the versions that could not read all rows that are judged. None
    instead of a contest where there are no such rows, or rows of one outcome alone.
    """
    models = [candidate, champion, *promoted.values()]
    rows = score_with_each(models, data, parts)
    readable = ~np.isnan(rows.probability[0]) & ~np.isnan(rows.probability[1])
    if not all(model.splits_by_normal_form for model in models):
        # Where the normal form changes an id, a model from before may have been fitted on what is a test row now.
        readable &= rows.splits_alike
    label, days = rows.label[readable], rows.day[readable]
    if len(np.unique(label)) < 2:
        return None, days, []
    of_candidate, of_champion, *others = (probability[readable] for probability in rows.probability)
    new = np.isin(days, [*unseen_labels(champion, data.days)])
    latest = latest_rows(None if rows.times is None else rows.times[readable], label)
    judged = judged_rows(new, latest)
    best, left_out = roc_auc(label[judged], of_champion[judged]), []
    for number, probability in zip(promoted, others, strict=True):
        if np.isnan(probability[judged]).any():
            left_out.append(number)
        else:
            best = max(best, roc_auc(label[judged], probability[judged]))
    contest = Contest(label, new, latest, of_candidate, of_champion, candidate.cost(), champion.cost(), best)
    return contest, days, left_out


def compare_parts(contest: Contest, days: NDArray[np.str_], measure: Measure) -> dict[str, dict[str, float]]:
    """A measure of both sides on what is judged, and on the parts of it and beside it.

    Where time is not known these are the base rows and the labelled days that the champion lacks.
    """
    if contest.latest is None:
        masks = {"base": days == "", "new days": contest.new, "all": contest.judged}
    else:
        masks = {"older": ~contest.judged, "latest fifth": contest.latest, "new days": contest.new}
        masks |= {"judged": contest.judged}
    return {
        name: {
            "rows": int(mask.sum()),
            "candidate": measure(contest.label[mask], contest.candidate[mask]),
            "champion": measure(contest.label[mask], contest.champion[mask]),
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
    try:
        model, reference = load_version(champion), files_of(champion) / REFERENCE
    except ModelMismatch as error:
        files_of(find_version(registered.model, registered.number))  # else it is the store that is away
        return Verdict(registered.number, True, f"the champion, version {champion.number}, is lost: {error}", "")
    if not is_same_world(model, reference, data, parts):
        return _declined(
            registered, champion, "the data set shares no campaigns with those that version {} was judged on"
        )
    candidate = ScoringModel.load(Path(registered.folder), registered.number)
    promoted, lost = load_promoted(registered.model, champion)
    contest, days, left_out = hold_contest(candidate, model, promoted, data, parts)
    if contest is None:
        if len(days):
            return _declined(registered, champion, "all test rows that version {} can read have the same outcome")
        return _declined(registered, champion, "version {} cannot read the rows of this data set")
    earned, reason = gate_verdict(contest, Settings().gate_margin)
    notes = [f"Not compared with version {number}, once champion, which cannot read these rows." for number in left_out]
    notes += [
        f"Not compared with version {number}, once champion, which is lost: {why}" for number, why in lost.items()
    ]
    aucs, losses = (compare_parts(contest, days, measure) for measure in (roc_auc, log_loss))
    return Verdict(registered.number, earned, reason, champion.number, aucs, losses, notes)


def load_promoted(model: str, champion: Version) -> tuple[dict[str, ScoringModel], dict[str, str]]:
    """The versions that were champion before this one, by number; and those that cannot be loaded, with the reason."""
    loaded, lost = {}, {}
    for version in list_versions(model):
        if version.promoted_at and version.number != champion.number:
            try:
                loaded[version.number] = load_version(version)
            except ModelMismatch as error:
                lost[version.number] = str(error)
    return loaded, lost


def _declined(registered: Registered, champion: Version, why: str) -> Verdict:
    """A version that is not compared with the champion, and how to promote it all the same."""
    option = "" if registered.model == served_model() else f" --model {registered.model}"
    command = f"`campaign champion{option} set {registered.number}`"
    reason = f"{why.format(champion.number)}; if it is meant to take over: {command}"
    return Verdict(registered.number, False, reason, champion.number)


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
        card = registered.card + verdict_section(
            verdict.promoted, verdict.reason, verdict.champion, verdict.roc_auc, verdict.log_loss, verdict.notes
        )
        client.update_model_version(model, number, card)
        client.set_model_version_tag(model, number, "verdict", f"{role}: {verdict.reason}")
        mlflow.log_text(card, "model_card.md")
    create_markdown_artifact(card, "model-card", f"Version {number} of {model}")
    uri = Settings().mlflow_ui
    if uri.startswith("http"):
        link = f"{uri}/#/models/{model}/versions/{number}?workspace=default"
        create_link_artifact(link, f"{model} {number}", key="registered-version")
    get_run_logger().info("Version %s is %s: %s", number, role, verdict.reason)
    verdict = replace(verdict, expectation=registered.expectation)
    return replace(verdict, champion=number) if verdict.promoted else verdict
