"""A replay of 24 months of made-up projects, month by month: how long it takes, and how near its estimates came.

`make bench-replay`, 10 to 20 minutes. 378,000 projects shaped like Kickstarter's, of which the last two years are
replayed: never retrained, and retrained when called. Trainings are timed apart.
"""

import os
import time
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.made_up_projects import ROWS, write_projects
from benchmarks.measure import Target
from benchmarks.world import open_folder
from flows.environment import prepare, use_own_prefect

FIRST, MAX_SECONDS, MAX_TRAINING, MAX_ERROR = "2016-01", 300, 180, 0.03


def main() -> None:
    arguments = measure.parse_arguments(__doc__, rows=ROWS, first=FIRST, trials=10)
    with open_folder(arguments.folder) as folder:
        data, schema = write_projects(folder, arguments.rows)
        os.environ["CAMPAIGN_HOME"] = str(folder / "home")
        prepare()
        use_own_prefect(folder / "home" / "replays")
        (folder / "home" / "replays" / "prefect").mkdir(parents=True, exist_ok=True)
        _replay(data, schema, arguments.first, arguments.trials)


def _replay(data: Path, schema: Path, first: str, trials: int) -> None:
    from flows.terminal import keep_logs_back

    keep_logs_back()
    from flows.replay.command import play
    from flows.replay.results import is_trusted

    began = time.monotonic()
    replayed = play(str(data), str(schema), first, "month", ["called", "never"], trials)
    seconds = time.monotonic() - began
    called = replayed.courses[0]
    trainings = [period.trained for period in called.played if period.trained]
    alone = seconds - sum(trained.seconds for trained in trainings)
    longest = max(trained.seconds for trained in trainings)
    months = sum(bool(period.period) for period in called.played)
    rows, errors = list[dict[str, Any]](), list[float]()
    for number, span in enumerate(replayed.spans):
        quality, trusted = called.quality[number], is_trusted(replayed.unseen[number])
        estimate, realised = quality.estimated_roc_auc.value, quality.roc_auc
        errors += [abs(estimate - realised.value)] if trusted else []
        rows.append({
            "months": str(span), "outcomes": quality.outcomes, "estimated": round(estimate, 3),
            "realised": round(realised.value, 3), "interval": f"{realised.low:.3f} to {realised.high:.3f}",
            "trusted": "yes" if trusted else "no",
        })  # fmt: skip
    within = sum(error <= MAX_ERROR for error in errors)
    work = f"replay of {months} months out of {measure_rows(data):,} projects"
    measure.save_results(
        "replay",
        [
            Target(f"{work}, two courses, without trainings", f"≤ {MAX_SECONDS} s", f"{alone:.0f} s",
                   alone <= MAX_SECONDS),
            Target(f"the longest of its {len(trainings)} trainings", f"≤ {MAX_TRAINING} s", f"{longest:.0f} s",
                   longest <= MAX_TRAINING),
            Target("estimated ROC-AUC of a month beside the realised one", f"within {MAX_ERROR}",
                   f"in {within} of {len(errors)} months, at most {max(errors, default=0):.3f} away",
                   within == len(errors)),
        ],
        {"replay": rows},
        advice=replayed.advice,
    )  # fmt: skip


def measure_rows(data: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(data).num_rows)


if __name__ == "__main__":
    main()
