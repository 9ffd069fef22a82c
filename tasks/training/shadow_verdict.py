"""Whether realised days show that the challenger, which scored them in the shadow, earns to be champion."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

import numpy as np
from prefect import get_run_logger, task

from campaign.errors import ModelMismatch
from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from tasks.days import scheduled_day
from tasks.measures import log_loss, roc_auc
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import CHAMPION, Version, find_challenger, find_champion, make_champion
from tasks.retries import RETRIES
from tasks.shadow_record import NOT_BETTER, PROMOTED, WAITING, ShadowVerdict, record_verdict
from tasks.training.gate import NAMES, Contest, Mask, compare
from tasks.training.shadow_days import RealisedDay, Side, realised_days

MIN_OUTCOMES, MIN_RARER = 500, 10
MIN_PERIODS, MIN_PERIOD_OUTCOMES = 2, 100


def judge(days: Sequence[RealisedDay]) -> tuple[str, str]:
    """What realised days say of the challenger: promoted, not better, or waiting; and why, in words.

    Promoted when, on 500 campaigns or more of at least two periods, it is better by paired bootstrap in ROC-AUC or in
    log loss and in neither worse, and what it is better in, it is in the earlier and in the later half of them.
    """
    if not days:
        return WAITING, "no day that both have scored has its outcomes yet"
    contest = contest_of(days)
    campaigns, rarer = len(contest.label), int(min(contest.label.sum(), (1 - contest.label).sum()))
    periods, kind = count_periods(days)
    what = f"{campaigns:,} realised campaigns of {periods} {kind}{'s' * (periods != 1)}"
    if campaigns < MIN_OUTCOMES or rarer < MIN_RARER or periods < MIN_PERIODS:
        needed = f"{MIN_OUTCOMES} of {MIN_PERIODS} {kind}s, {MIN_RARER} of the rarer kind"
        return WAITING, f"{what}, {rarer:,} of the rarer kind; needed are {needed}"
    found = compare(contest, np.ones(campaigns, bool))
    if not found.is_better:
        return NOT_BETTER, f"not better than the champion{found.mixed} on {what} ({found.figures(NAMES)})"
    later = is_later_half(days)
    if not all(has_sign_of_better(contest, half, found.better) for half in (later, ~later)):
        return NOT_BETTER, f"better on {what} ({found.figures(found.better)}), but not in each half of that time"
    return PROMOTED, f"better on {what} ({found.figures(found.better)}), in the shadow"


def contest_of(days: Sequence[RealisedDay]) -> Contest:
    """All days together. Nobody asks here who is cheaper, or who was the best ever."""
    label, candidate, champion = (
        np.concatenate([getattr(day, name) for day in days]) for name in ("label", "challenger", "champion")
    )
    return Contest(label, np.ones(len(label), bool), None, candidate, champion, 0.0, 0.0, 0.0)


def count_periods(days: Sequence[RealisedDay]) -> tuple[int, str]:
    """How many calendar months of launch have 100 campaigns or more; calendar weeks where all lie in one month."""
    months, weeks = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for day in days:
        months[day.day.year, day.day.month] += len(day.label)
        weeks[day.day.isocalendar()[:2]] += len(day.label)
    periods, kind = (months, "month") if len(months) > 1 else (weeks, "week")
    return sum(campaigns >= MIN_PERIOD_OUTCOMES for campaigns in periods.values()), kind


def is_later_half(days: Sequence[RealisedDay]) -> Mask:
    """[campaigns]: whether its day is of the later half; days are not cut."""
    counts = np.array([len(day.label) for day in days])
    middle = np.cumsum(counts) - counts / 2
    return np.repeat(middle > counts.sum() / 2, counts)


def has_sign_of_better(contest: Contest, rows: Mask, measures: Sequence[str]) -> bool:
    """Whether the challenger is no worse on these rows in any of the measures; not where one cannot be computed."""
    label, candidate, champion = contest.label[rows], contest.candidate[rows], contest.champion[rows]
    gains = {
        "roc_auc": roc_auc(label, candidate) - roc_auc(label, champion),
        "log_loss": log_loss(label, champion) - log_loss(label, candidate),
    }
    return all(gains[name] >= 0 for name in measures)


def judge_versions(champion: Version, challenger: Version, today: date) -> ShadowVerdict:
    try:
        sides = Side.of(champion), Side.of(challenger)
    except ModelMismatch as error:
        return ShadowVerdict(challenger.number, WAITING, f"one of the two is lost: {error.cause}")
    status, reason = judge([*realised_days(Store(Settings().store), *sides, today)])
    return ShadowVerdict(challenger.number, status, reason)


def promote_challenger(verdict: ShadowVerdict, champion: Version, challenger: Version) -> ShadowVerdict:
    """Make it champion, unless a training was quicker and either is another version by now."""
    present = find_champion(champion.model), find_challenger(champion.model)
    if [version and version.number for version in present] != [champion.number, challenger.number]:
        return ShadowVerdict(challenger.number, WAITING, "champion or challenger have changed meanwhile")
    make_champion(challenger.model, challenger.number, verdict.reason)
    role = f"{CHAMPION}: {verdict.reason}"
    mlflow_client().set_model_version_tag(challenger.model, challenger.number, "verdict", role)
    return verdict


@task(timeout_seconds=3600, **RETRIES)
def judge_challenger() -> ShadowVerdict:
    """Hold the challenger against the champion on realised days, and make it champion if it is better on them."""
    champion, challenger = find_champion(served_model()), find_challenger(served_model())
    if not Settings().shadow:
        verdict = ShadowVerdict("", WAITING, "CAMPAIGN_SHADOW is off")
    elif champion is None or challenger is None:
        verdict = ShadowVerdict("", WAITING, "there is no challenger")
    else:
        verdict = judge_versions(champion, challenger, scheduled_day())
        if verdict.status == PROMOTED:
            verdict = promote_challenger(verdict, champion, challenger)
    record_verdict(verdict)
    get_run_logger().info("Shadow: %s", verdict)
    return verdict
