"""The model card: what a version is, how good it is, what leaks, and why it is champion or not."""

from collections.abc import Iterable

from campaign.model import ScoringModel
from tasks.training.choose import Candidate, Choice
from tasks.training.evaluate import Scores
from tasks.training.explore import Explored
from tasks.training.validate import Dataset


def model_card(model: ScoringModel, scores: Scores, choice: Choice, data: Dataset, explored: Explored) -> str:
    """Markdown, without the verdict of the gate."""
    features = ", ".join(f"{column.name} ({column.known})" for column in model.schema.features)
    metrics = "\n".join(
        f"| {name.replace('_', ' ')} | {value:.5f} | {low:.5f} – {high:.5f} |"
        for name, value in scores.metrics.items()
        for low, high in [scores.intervals[name]]
    )
    findings = explored.findings or ["No feature gives the label away."]
    leaks = "\n".join(f"- {finding}" for finding in [*findings, *explored.suspicions, *data.remarks])
    importance = "\n".join(f"| {name} | {lost:+.4f} |" for name, lost in list(scores.importance.items())[:6])
    reasons = "; ".join(model.about["reasons"]) or "asked for, or scheduled"
    days = f"{len(data.days)} labelled days ({min(data.days)} to {max(data.days)})" if data.days else "no labelled days"
    rows, available = model.about["rows_fitted"], model.about["rows_to_fit"]
    fitted = f"{rows:,}" if rows == available else f"an even sample of {rows:,} of {available:,}"
    return f"""# {model.name}

{_purpose(model)} Trained {model.about["trained_at"]}, because: {reasons}.

## What it knows
Features: {features}.

{leaks}

{explored.summary}

Schema `{model.schema.name}`, digest `{model.schema.digest}`.

## Data
{data.rows:,} good rows from `{data.origin}` and {days}, digest `{data.digest}`; {data.bad:,} bad rows in \
quarantine{_waiting(data)}.
Searched on {choice.rows:,} train rows, fitted on {fitted} train and validation rows, judged on \
{scores.rows:,} test rows, which no champion was ever fitted on.

## How good it is
| on test rows | value | 95 % interval |
|---|---|---|
{metrics}

| feature | ROC-AUC lost when shuffled |
|---|---|
{importance}

{_acting(model, scores)}
## The forest
| | trial | trees | depth | leaf | features a split | validation ROC-AUC | log loss | comparisons a row |
|---|---|---|---|---|---|---|---|---|
{_row("chosen", choice.chosen)}
{_row("best found", choice.best)}

Chosen: {choice.reason} (standard error of the difference {choice.standard_error:.5f}).
"""


def verdict_section(
    promoted: bool, reason: str, before: str, aucs: dict[str, dict[str, float]], notes: Iterable[str] = ()
) -> str:
    """The end of the card: what the gate said, and of whom it could say nothing."""
    rows = "\n".join(
        f"| {name} | {side['rows']:,} | {side['candidate']:.5f} | {side['champion']:.5f} |"
        for name, side in aucs.items()
    )
    table = f"\n| test rows | rows | this version | champion {before} |\n|---|---|---|---|\n{rows}\n" if aucs else ""
    noted = "".join(f"\n{note}\n" for note in notes)
    return f"\n## Verdict\n{'Champion' if promoted else 'Challenger'}: {reason}.\n{table}{noted}"


def _purpose(model: ScoringModel) -> str:
    outcome = model.schema.outcome
    article = "an" if outcome.noun[:1].lower() in "aeiou" else "a"
    return f"Predicts whether {article} {outcome.noun} will {outcome.yes}."


def _acting(model: ScoringModel, scores: Scores) -> str:
    """The lift table and what acting pays; nothing for scores without them."""
    if not scores.lift:
        return ""
    rows = "\n".join(
        f"| {row.share:.0%} | {row.rows:,} | {row.success_rate:.1%} | {row.lift:.2f} | {row.found:.1%} |"
        for row in scores.lift
    )
    text = f"""## What acting on it finds
Of {scores.rows:,} test rows, the most probable first. The model acts above a probability of {model.threshold:.4g}.

| the first | rows | of them succeeded | lift | of all successes |
|---|---|---|---|---|
{rows}
"""
    if scores.profit:
        paid = scores.profit
        text += (
            f"\nActing on the {paid.rows:,} above it promised a profit of {paid.expected:,.0f}, and brought "
            f"{paid.realised:,.0f}.\n"
        )
    return text


def _waiting(data: Dataset) -> str:
    return f", {data.waiting:,} without an outcome yet" if data.waiting else ""


def _row(name: str, candidate: Candidate) -> str:
    params, size = candidate.params, candidate.size
    return (
        f"| {name} | {candidate.trial} | {size.trees} | {params['max_depth']} | {params['min_samples_leaf']} "
        f"| {params['max_features']} | {size.roc_auc:.5f} | {size.log_loss:.4f} | {size.cost:.0f} |"
    )
