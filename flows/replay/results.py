"""What a replay found: the courses side by side, for the table and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from campaign.settings import Settings
from flows.replay.courses import Plan, Rule, home_at
from flows.replay.journal import Journal, Played, Trained
from tasks.metrics_database import database, metrics
from tasks.replay.figures import (
    MIN_OUTCOMES,
    Predictions,
    Quality,
    Span,
    gather_predictions,
    judged_rows,
    quality_of,
    spans_of,
)
from tasks.replay.gains import Gain, advice, advice_on_always, gain_of

NAMES: dict[Rule, str] = {"called": "retrained when called", "never": "never retrained", "always": "always retrained"}


@dataclass(frozen=True)
class Course:
    """One rule, played to its end. `quality` is by span, `gain` over the course that never trained again."""

    rule: Rule
    played: list[Played]
    quality: list[Quality]
    gain: Gain | None

    @property
    def trainings(self) -> list[Trained]:
        """Those after the first."""
        return [played.trained for played in self.played[1:] if played.trained]

    @property
    def cpu_seconds(self) -> float:
        return sum(trained.cpu_seconds for trained in self.trainings)

    def played_in(self, span: Span) -> list[Played]:
        names = {str(period) for period in span.periods}
        return [played for played in self.played[1:] if played.period in names]

    def drifted_in(self, span: Span) -> list[str]:
        """The columns that were drifted at the end of one of its periods."""
        return list(dict.fromkeys(name for played in self.played_in(span) for name in played.drifted_columns))

    def changes_in(self, span: Span) -> list[str]:
        """The versions that became champion at the end of one of its periods."""
        return [played.trained.version for played in self.played_in(span) if played.trained and played.trained.promoted]


@dataclass(frozen=True)
class Replayed:
    """All courses over the same spans. `unseen`: the share of each span's rows that hold what training never saw."""

    title: str
    noun: str
    spans: list[Span]
    courses: list[Course]
    unseen: list[float]
    undated: int

    @property
    def estimates_held(self) -> tuple[int, int]:
        """In how many spans the realised interval holds the estimate, of those with outcomes enough that are trusted.

        They are the first course's.
        """
        spans = zip(self.courses[0].quality, self.unseen, strict=True)
        judged = [quality for quality, unseen in spans if quality.outcomes >= MIN_OUTCOMES and is_trusted(unseen)]
        return sum(quality.roc_auc.holds(quality.estimated_roc_auc.value) for quality in judged), len(judged)

    @property
    def distinct(self) -> list[Course]:
        """Without those that went as an earlier one did."""
        courses: list[Course] = []
        for course in self.courses:
            if all(course.quality != other.quality for other in courses):
                courses.append(course)
        return courses

    def events_in(self, span: Span) -> list[str]:
        """Drifted columns, and who became champion in which course."""
        drifted = ", ".join(self.courses[0].drifted_in(span))
        changes = [f"version {number} ({course.rule})" for course in self.courses for number in course.changes_in(span)]
        return [drifted, *changes] if drifted else changes

    @property
    def advice(self) -> str:
        """What to do."""
        by_rule = {course.rule: course for course in self.courses}
        if "called" not in by_rule or "never" not in by_rule:
            return ""
        called, always = by_rule["called"], by_rule.get("always")
        sentences = advice(called.gain, len(called.trainings), called.cpu_seconds, len(self.spans))
        if always and always.gain:
            sentences += " " + advice_on_always(always.gain, len(always.trainings), always.cpu_seconds)
        return sentences


def read_replayed(plan: Plan, homes: Mapping[Rule, Path]) -> Replayed:
    """By what the courses left, and what became of the campaigns."""
    history, predictions = plan.history, dict[Rule, Predictions]()
    unseen: dict[str, float] = {}
    for rule, home in homes.items():
        with home_at(home) as store:
            predictions[rule] = gather_predictions(store, history, plan.periods)
            unseen = unseen or _unseen_by_day()
    judged = judged_rows(history, [*predictions.values()])
    spans = spans_of(history, plan.periods, judged)
    never = predictions.get("never")
    courses = [
        Course(
            rule, Journal(home).read(),
            [quality_of(history, predictions[rule], span, judged) for span in spans],
            gain_of(history, predictions[rule], never, spans, judged) if never and rule != "never" else None,
        )
        for rule, home in homes.items()
    ]  # fmt: skip
    model = plan.schema.model
    by_span = [_mean([unseen[str(day)] for day in span.days if str(day) in unseen]) for span in spans]
    return Replayed(model.title or model.name, plan.schema.outcome.noun, spans, courses, by_span, history.undated)


def _unseen_by_day() -> dict[str, float]:
    wanted = sa.select(metrics.c.day, metrics.c.value).where(metrics.c.metric == "unseen_rows_share")
    with database().connect() as connection:
        return {str(row.day): row.value for row in connection.execute(wanted) if row.value is not None}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def is_trusted(unseen: float) -> bool:
    """Whether few enough rows held what training never saw for an estimate to be trusted."""
    return not unseen > Settings().unseen_rows_share
