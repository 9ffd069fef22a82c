# ruff: noqa: E501 (prose)
"""docs/scale.md: what a billion rows a day would need, reckoned from what was measured: written by `make bench`."""

from typing import Any

from campaign.identity import SeenIds
from tasks.scoring.pieces import PIECE_ROWS, PIECES_A_TASK
from tasks.task_runner import MAX_TASK_RUNS

DAYS = (10**7, 10**9, 10**11)
REQUESTS_A_PIECE = 16  # a footer in two reads, some ranges, an upload in parts, a copy, a delete: counted from the code
HOURS = 4  # within which a day is to be scored


def costs_per_row(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Seconds of one core, or bytes, for a row."""
    largest = results["scoring"]["largest"]
    monitored = next(
        row for row in results["monitoring"]["tables"]["monitoring"] if row["contender"] == "campaign monitor"
    )
    rows = largest["rows"]
    return {
        "plan": largest["plan"] / rows,
        "piece": (largest["cpu"] - largest["plan"]) / rows,
        "monitor": monitored["CPU s"] / monitored["rows"],
        "id": SeenIds(10**6).size / 10**6,
    }  # fmt: skip


def table_row(rows: int, cost: dict[str, float]) -> dict[str, str]:
    """What a day of this many rows needs."""
    pieces = -(-rows // PIECE_ROWS)
    plan = cost["plan"] * rows
    seconds_left = HOURS * 3600 - plan
    cores = (
        f"{max(1, -(-cost['piece'] * rows // seconds_left)):,.0f}"
        if seconds_left > 0
        else "none would do: the plan alone takes longer"
    )
    return {
        "rows a day": f"{rows:,}",
        "plan, one core": format_seconds(plan),
        "memory of the plan": f"{cost['id'] * rows / 1e9:,.1f} GB",
        "pieces, core seconds": f"{cost['piece'] * rows:,.0f}",
        f"cores, for {HOURS} hours": cores,
        "object-store requests": f"{pieces * REQUESTS_A_PIECE:,}",
        "Prefect task runs": f"{min(MAX_TASK_RUNS, -(-pieces // PIECES_A_TASK)) + 1:,}",
        "rows in Postgres": "about 60",
        "monitoring, one core": format_seconds(cost["monitor"] * rows),
    }


def format_seconds(seconds: float) -> str:
    return (
        f"{seconds:,.0f} s"
        if seconds < 600
        else f"{seconds / 60:,.0f} min"
        if seconds < 36_000
        else f"{seconds / 3600:,.0f} h"
    )


def render_page(results: dict[str, dict[str, Any]], cluster: dict[str, Any] | None, markdown_table: Any) -> str:
    cost = costs_per_row(results)
    measured = markdown_table(cluster["tables"]["cluster"]) if cluster else "Run `make bench-cluster` to measure it."
    return f"""# Past one machine

Scoring and the search go in pieces. Without further ado they run in the flow's own process; with
`CAMPAIGN_DASK_SCHEDULER=tcp://host:8786` they spread over the workers of that [Dask](https://distributed.dask.org)
scheduler, by Prefect's own [prefect-dask](https://docs.prefect.io/integrations/prefect-dask). The results are the same: a
day scored on a cluster has the same parts with the same bytes, and a search has as many trials as were asked for, also when
a worker is killed on the way (`tests/flows/test_cluster.py`, and `make e2e` in the stack).

In the stack, in `.env`:

```bash
COMPOSE_PROFILES=grafana,dask
CAMPAIGN_DASK_SCHEDULER=tls://dask-scheduler:8786
```

and `docker compose up -d --wait --scale dask-worker=4`. Elsewhere, one worker a core, each with the environment of the
flow (`CAMPAIGN_…`, `MLFLOW_TRACKING_URI`, `AWS_…`, `PREFECT_API_URL`), for all of them read and write the same store:

```bash
dask scheduler
dask worker tcp://host:8786 --nthreads 1 --nworkers auto
```

The search's study has to lie in Postgres (`CAMPAIGN_OPTUNA_URL`), and the store on S3 or a disk that all share. Whoever
reaches the scheduler can run code on the workers: keep it in a network of its own, or give it
[TLS](https://distributed.dask.org/en/stable/tls.html).

## What spreads, and what does not

| step | where |
|---|---|
| digests of a day's files, and ids that come twice (the plan) | the flow's process, one core |
| reading, checking, encoding, scoring, writing: pieces of {PIECE_ROWS:,} rows, {PIECES_A_TASK} to a task run | the workers |
| manifest, row in the metrics database | the flow's process |
| trials of the search, five to a task run or fewer | the workers |
| choosing, the final fit, evaluation, monitoring | the flow's process |

However much there is to score, a flow run has at most {MAX_TASK_RUNS} such task runs: beyond that each takes more pieces.

## Measured on one machine of two cores

{measured}

"Here" uses both cores. A worker has one; what two machines with a network between them would add is not measured.

## Reckoned

From what was measured ([performance.md](performance.md)): {cost["plan"] * 1e6:.2f} µs a row for the plan, {cost["piece"] * 1e6:.2f} µs of one core for its
piece, {cost["monitor"] * 1e6:.1f} µs for monitoring it, {cost["id"]:.0f} bytes of memory for its id. Requests are counted from the code, not measured: some
{REQUESTS_A_PIECE} a piece. None of this has been run at these sizes.

{markdown_table([table_row(rows, cost) for rows in DAYS])}

**What gives first** is the memory of the plan: the ids of a day have to fit into the flow's process, which in the stack has
4 GB, enough for some {4e9 / cost["id"] / 1e6 * 0.75:,.0f} million rows a day. Up to about a billion rows a larger machine is the simple answer.
Monitoring, which holds the outcomes by id as well, is next, for the same reason.

**What to change then.** Let whoever writes the day's files divide them by a digest of the id: equal ids are then in one file,
the plan need look at one file at a time, on any worker, and outcomes divided alike can be joined file by file. The digests of
the files (sha256 of every byte) go the same way. Pieces, manifest, and what a reader of predictions sees stay as they are.
At {DAYS[-1]:,} rows a day the manifest itself lists {-(-DAYS[-1] // PIECE_ROWS):,} parts: make `PIECE_ROWS` larger, which changes no result.
Training does not need such days whole: it reads all rows, but fits on samples, so a sample of each day is the set to give it.
"""
