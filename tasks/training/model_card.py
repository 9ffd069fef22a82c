"""The model card: what a version is, how good it is, what leaks, and why it is champion or not."""

from collections.abc import Iterable

from campaign.model import ScoringModel
from tasks.training.backtest import Later
from tasks.training.choose import Candidate, Choice
from tasks.training.evaluate import Scores
from tasks.training.explore import Explored
from tasks.training.validate import Dataset

MADE_UP = " **It learnt from made-up campaigns.**"


def expectation(scores: Scores, later: Later | None) -> str:
    """How well a version may be expected to do, in one sentence; of the latest rows first, where time is known."""
    auc = scores.metrics["roc_auc"]
    if later is None:
        digits = 3 if auc < 0.995 else 4  # what is nearly 1 is not 1
        return f"Expect a ROC-AUC of about {auc:.{digits}f}, which it has on test rows drawn from all of them."
    low, high = later.intervals["later_roc_auc"]
    return (
        f"Expect a ROC-AUC of about {later.metrics['later_roc_auc']:.3f} ({low:.3f} to {high:.3f}), as the same recipe "
        f"has on the latest {later.rows:,} rows when fitted on the {later.earlier_rows:,} before; on test rows of all "
        f"times it is {auc:.3f}."
    )


def model_card(
    model: ScoringModel, scores: Scores, later: Later | None, choice: Choice, data: Dataset, explored: Explored
) -> str:
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

{expectation(scores, later)}

{_purpose(model)}{MADE_UP * data.made_up} Trained {model.about["trained_at"]}, because: {reasons}.

## What it knows
Features: {features}.

{leaks}

{explored.summary}

Schema `{model.schema.name}`, digest `{model.schema.digest}`.

## Data
{data.rows:,} good rows from `{data.shown}` and {days}, digest `{data.digest}`; {_bad(data)}{_waiting(data)}.
Searched on {choice.rows:,} train rows, fitted on {fitted} train and validation rows, judged on \
{scores.rows:,} test rows, which no champion was ever fitted on.
Drift is measured against {scores.drift_rows}.

## How good it is
{_over_time(later)}| on test rows | value | 95 % interval |
|---|---|---|
{metrics}

| feature | ROC-AUC lost when shuffled |
|---|---|
{importance}

{_acting(model, scores)}
## The recipe
| | trial | trees | rows a leaf | features a split | linear part | weight halves in | ROC-AUC | log loss \
| comparisons a row |
|---|---|---|---|---|---|---|---|---|---|
{_row("chosen", choice.chosen)}
{_row("best found", choice.best)}

Judged on {choice.judged_rows:,} {"of the latest train and validation" if choice.by_time else "validation"} rows.
Chosen: {choice.reason}.
{_difference(choice)}"""


def verdict_section(
    promoted: bool,
    reason: str,
    before: str,
    aucs: dict[str, dict[str, float]],
    losses: dict[str, dict[str, float]],
    notes: Iterable[str] = (),
) -> str:
    """The end of the card: what the gate said, and of whom it could say nothing."""
    rows = "\n".join(
        f"| {name} | {auc['rows']:,} | {auc['candidate']:.5f} | {auc['champion']:.5f} "
        f"| {losses[name]['candidate']:.5f} | {losses[name]['champion']:.5f} |"
        for name, auc in aucs.items()
    )
    head = f"| test rows | rows | ROC-AUC | of champion {before} | log loss | of champion {before} |"
    table = f"\n{head}\n|---|---|---|---|---|---|\n{rows}\n" if aucs else ""
    noted = "".join(f"\n{note}\n" for note in notes)
    return f"\n## Verdict\n{'Champion' if promoted else 'Challenger'}: {reason}.\n{table}{noted}"


def _over_time(later: Later | None) -> str:
    """What to expect of rows to come; nothing where time is not known."""
    if later is None:
        return ""
    metrics, moved = later.metrics, later.metrics["base_rate_later"] - later.metrics["base_rate_earlier"]
    since = f" (from {later.since} on)" if later.since else ""
    rows = "\n".join(
        f"| {name.removeprefix('later_').replace('_', ' ')} | {metrics[name]:.5f} "
        f"| {'{:.5f} – {:.5f}'.format(*later.intervals[name]) if name in later.intervals else '–'} |"
        for name in ("later_roc_auc", "later_log_loss", "later_calibration_error")
    )
    text = f"""Fitted on the earlier {later.earlier_rows:,} finished rows and judged on the latest \
{later.rows:,}{since}, the same recipe reaches this; it is what to expect.

| on the latest rows | value | 95 % interval |
|---|---|---|
{rows}

Of the earlier rows {metrics["base_rate_earlier"]:.1%} succeeded, of the latest {metrics["base_rate_later"]:.1%}"""
    if abs(moved) >= 0.05 or abs(moved) >= 0.25 * metrics["base_rate_earlier"]:
        text += ": the world moves, and probabilities are right on average only as long as it moves on as it did"
    return text + ".\n\n"


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


def _bad(data: Dataset) -> str:
    of_days = f", and {data.bad_in_days:,} of those days" if data.bad_in_days else ""
    return f"{data.bad:,} bad rows{of_days} in quarantine"


def _waiting(data: Dataset) -> str:
    return f", {data.waiting:,} without an outcome yet" if data.waiting else ""


def _difference(choice: Choice) -> str:
    """How far the best found is from the default, and what was added to the log-odds."""
    text = ""
    if choice.standard_error:
        text = f"The best found has a log loss {choice.gain:.5f} below the default's (standard error "
        text += f"{choice.standard_error:.5f}).\n"
    if choice.shift:
        text += f"The success rate moves: {choice.shift:+.3f} is added to all log-odds, what two periods missed.\n"
    return text


def _row(name: str, candidate: Candidate) -> str:
    params, size = candidate.params, candidate.size
    half_life = "–" if params["half_life"] is None else f"{params['half_life']:.0%} of the span"
    return (
        f"| {name} | {candidate.trial} | {size.trees} | {params['min_samples_leaf']} | {params['max_features']:.0%} "
        f"| {'yes' if params['linear'] else 'no'} | {half_life} "
        f"| {size.roc_auc:.5f} | {size.log_loss:.4f} | {size.cost:.0f} |"
    )
