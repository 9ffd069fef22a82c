"""The page of a replay: one file that needs nothing else, for day and night."""

from __future__ import annotations

from html import escape

from flows.replay.charts import draw_charts
from flows.replay.results import NAMES, Replayed, is_trusted
from tasks.estimates import ASSUMPTION
from tasks.replay.figures import Figure

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2933; --dim: #52606d; --grid: #cbd2d9; --card: #f5f7fa;
  --called: #0072b2; --never: #b5541c; --always: #00785a }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e4e7eb; --dim: #9aa5b1; --grid: #3e4c59;
  --card: #1f262d; --called: #56b4e9; --never: #e8935b; --always: #4cc9a4 } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 64px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 18px; margin: 36px 0 8px } p { max-width: 76ch }
.advice { background: var(--card); border-left: 4px solid var(--called); padding: 12px 18px; font-size: 17px }
.dim, figcaption { color: var(--dim) }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 20px }
figure { margin: 0 } figcaption { font-weight: 600 } svg { width: 100%; height: auto }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap }
th, td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid var(--grid); vertical-align: top }
th { color: var(--dim); font-weight: 600 } td.text, th.text { text-align: left } td.long { white-space: normal }
.range { color: var(--dim); font-size: 12px }
"""


def render(replayed: Replayed) -> str:
    first, last = replayed.spans[0].periods[0], replayed.spans[-1].periods[-1]
    title = f"{replayed.title}: would the loop have paid?"
    held, judged = replayed.estimates_held
    undated = f" {replayed.undated:,} rows do not say when they began, and take no part." if replayed.undated else ""
    charts = "".join(
        f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>" for name, svg in draw_charts(replayed).items()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>
<h1>{escape(title)}</h1>
<p class="dim">A replay of {escape(str(first))} to {escape(str(last))}: at the end of each period the flows ran, with
what was known by then.{undated}</p>
{f'<p class="advice">{escape(replayed.advice)}</p>' if replayed.advice else ""}
<h2>The courses</h2><div class="wide">{_courses(replayed)}</div>
<h2>Quality, as it turned out</h2><div class="charts">{charts}</div>
<p class="dim">Bars are 95 % intervals. The dashed line was known before any outcome: it holds {ASSUMPTION}, and is left
out where more rows hold what training never saw than may be trusted. That of ROC-AUC lay within the realised 95 %
interval in {held} of the {judged} spans that are trusted and have at least 500 outcomes.</p>
<h2>Period by period</h2><div class="wide">{_spans(replayed)}</div>
<h2>Retrainings</h2><div class="wide">{_trainings(replayed)}</div>
</main></body></html>
"""


def _courses(replayed: Replayed) -> str:
    rows = []
    for course in replayed.courses:
        promoted = sum(trained.promoted for trained in course.trainings)
        gain = course.gain
        rows.append([
            NAMES[course.rule], f"{len(course.trainings)}", f"{promoted}", f"{course.cpu_seconds / 60:,.1f}",
            _figure(gain.roc_auc, "+.4f") if gain else "–", _figure(gain.log_loss, "+.4f") if gain else "–",
            f"{gain.outcomes:,}" if gain else "–",
        ])  # fmt: skip
    head = ["", "trainings", "new champions", "CPU min", "ROC-AUC gained", "log loss saved", "outcomes compared"]
    return _table(head, rows, text={0})


def _spans(replayed: Replayed) -> str:
    rows = []
    for number, span in enumerate(replayed.spans):
        first = replayed.courses[0]
        quality = first.quality[number]
        estimate = f"{quality.estimated_roc_auc.value:.3f}" if is_trusted(replayed.unseen[number]) else "not trusted"
        rows.append([
            escape(str(span)), f"{quality.scored:,}", f"{quality.outcomes:,}", f"{quality.success_rate:.1%}", estimate,
            *(_figure(course.quality[number].roc_auc) for course in replayed.distinct),
            *(_figure(course.quality[number].log_loss) for course in replayed.distinct),
            *(_figure(course.quality[number].calibration, "+.3f") for course in replayed.distinct),
            escape("; ".join(replayed.events_in(span)) or "–"),
        ])  # fmt: skip
    rules = [course.rule for course in replayed.distinct]
    head = ["period", f"{replayed.noun}s", "outcomes", "success rate", "estimated ROC-AUC",
            *(f"{name}, {rule}" for name in ("ROC-AUC", "log loss", "calibration") for rule in rules),
            "drifted columns, new champions"]  # fmt: skip
    return _table(head, rows, text={0, len(head) - 1})


def _trainings(replayed: Replayed) -> str:
    rows = [
        [course.rule, played.period, trained.version, "champion" if trained.promoted else "challenger",
         f"{trained.cpu_seconds:,.0f}", escape(trained.reason), escape("; ".join(trained.called_for)) or "–"]
        for course in replayed.courses
        for played in course.played[1:]
        if (trained := played.trained)
    ]  # fmt: skip
    if not rows:
        return "<p>None.</p>"
    head = ["course", "at the end of", "version", "became", "CPU s", "because", "called for by"]
    return _table(head, rows, text={0, 1, 3, 5, 6}, long={5, 6})


def _table(head: list[str], rows: list[list[str]], text: set[int], long: set[int] | None = None) -> str:
    def kind(at: int) -> str:
        names = ["text"] * (at in text) + ["long"] * (at in (long or set()))
        return f' class="{" ".join(names)}"' if names else ""

    header = "".join(f"<th{kind(at)}>{escape(name)}</th>" for at, name in enumerate(head))
    body = "".join(f"<tr>{''.join(f'<td{kind(at)}>{cell}</td>' for at, cell in enumerate(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def _figure(figure: Figure, form: str = ".3f") -> str:
    if figure.value != figure.value:
        return "–"
    return f'{figure.value:{form}}<br><span class="range">{figure.low:{form}} to {figure.high:{form}}</span>'
