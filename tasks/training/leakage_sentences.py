"""What the audit found, in sentences for the log, the model card and the page."""

from collections.abc import Iterable

from campaign.schema import Column
from tasks.training.leakage import CHANCE, DECISIVE, LATER, LATER_NAME, LAUNCH, TIMES, Signal


def leak_sentence(signals: list[Signal]) -> str:
    """What the signals of one column, or of one pair, give away; the best comes first."""
    columns = signals[0].columns
    subject = " against ".join(f"`{column.name}`" for column in columns)
    verb = "decides" if round(signals[0].roc_auc, 3) == 1 else "all but decides"
    values = " and ".join(
        f"{signal.roc_auc:.3f}" + (f" for their {signal.comparison}" if signal.comparison else "") for signal in signals
    )
    return f"{subject} {verb} the label by itself (ROC-AUC {values}); {_when(columns)}."


def _when(columns: tuple[Column, ...]) -> str:
    late = [column for column in columns if column.known != LAUNCH]
    return " and ".join(f"`{column.name}` is known only {column.known}" for column in late) or "known at launch"


def _when_known(features: list[Column]) -> str:
    names = {time: [f"`{column.name}`" for column in features if column.known == time] for time in TIMES}
    later = [f"{len(names[time])} only {time} ({', '.join(names[time])})" for time in LATER if names[time]]
    launch = len(names[LAUNCH])
    if not later:
        return f"All {launch} features are known at launch."
    return f"Of {len(features)} features, {launch} are known at launch, {' and '.join(later)}."


def _best_sentence(signals: list[Signal], when: str) -> str:
    """What the best of these tells, which come best first; empty if there is none."""
    if not signals:
        return ""
    best, alone = signals[0], next((signal for signal in signals if signal.is_single), None)
    if best.roc_auc < CHANCE:
        nothing = f"No feature that is known {when}, alone or compared with another, tells more than chance"
        return f"{nothing}: the best, {_value_of(best)}."
    if alone is None:
        return ""
    comparison = "" if best.is_single else f"; the best comparison, {_value_of(best)}"
    return f"The best feature that is known {when}, {_value_of(alone)}{comparison}."


def _value_of(signal: Signal) -> str:
    return f"`{signal.label}`, has ROC-AUC {signal.roc_auc:.3f}"


def suspect_sentence(signal: Signal) -> str:
    """What a signal tells, and what to ask of a column that the schema has known at launch."""
    subject = " against ".join(f"`{column.name}`" for column in signal.columns)
    comparison = f" for their {signal.comparison}" if signal.comparison else ""
    much = f"Look at this: {subject} tells much of the label by itself (ROC-AUC {signal.roc_auc:.3f}{comparison})"
    early = [column for column in signal.columns if column.known == LAUNCH]
    if len(early) < len(signal.columns):
        return f"{much}; {_when(signal.columns)}."
    return f"{much}. {_doubt([column.name for column in early])}"


def misdeclared_sentences(signals: list[Signal]) -> list[str]:
    """Of columns that the schema has known at launch: that they decide the label, or are called what comes later."""
    sentences = []
    for signal in signals:
        column = signal.columns[0]
        if not signal.is_single or column.known != LAUNCH or column.derive:
            continue
        if signal.roc_auc > DECISIVE:
            sentences.append(f"No honest column tells so much: {_doubt([column.name])}")
        elif LATER_NAME.search(column.name) or LATER_NAME.search(column.in_file):
            sentences.append(f"By its name `{column.name}` is known later. {_doubt([column.name])}")
    return sentences


def _doubt(names: list[str]) -> str:
    are, columns = ("is", "it") if len(names) == 1 else ("are", "one of them")
    subject = " and ".join(f"`{name}`" for name in names)
    return (
        f"{subject} {are} declared as known at launch; if {columns} is known later, say so in the schema: "
        'known = "at the end".'
    )


def summarise(signals: list[Signal], features: Iterable[Column]) -> str:
    """Sentences for the model card: when these features are known, and what the best of them tells."""
    features = list(features)
    usable = [signal for signal in signals if signal.has_value and {*signal.columns} <= {*features}]
    sentences = [_when_known(features)]
    if not usable:
        return " ".join([*sentences, "There are too few campaigns to say what these tell."])
    early = [signal for signal in usable if signal.known == LAUNCH]
    late = [signal for signal in usable if signal.known != LAUNCH]
    sentences += [_best_sentence(early, "at launch"), _best_sentence(late, "only later")]
    return " ".join(filter(None, sentences))
