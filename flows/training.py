"""Search, fit and register a forest, and make it champion if it earns that."""

from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from tasks.days import run_name
from tasks.memory_limit import limit_run
from tasks.task_runner import ConfiguredTaskRunner
from tasks.training.backtest import backtest
from tasks.training.choose import choose
from tasks.training.choose_schema import choose_schema
from tasks.training.encode import encode
from tasks.training.evaluate import evaluate
from tasks.training.explore import explore
from tasks.training.fit import fit
from tasks.training.ingest import ingest
from tasks.training.open_run import open_run
from tasks.training.promote import Verdict, promote
from tasks.training.register import register
from tasks.training.search import search
from tasks.training.split import split
from tasks.training.validate import validate


@flow(
    name="training",
    flow_run_name=run_name,
    on_running=[limit_run],
    task_runner=ConfiguredTaskRunner(),  # type: ignore[arg-type]
)
def training(
    dataset: str | None = None,
    trials: Annotated[int, Field(ge=1)] = 30,
    feature_set: Literal["launch", "running", "all", "published"] | None = None,
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1,
    reasons: list[str] | None = None,
    schema_uri: str | None = None,
) -> Verdict:
    """Learn from a data set and every day whose outcomes have arrived.

    Args:
        dataset: Parquet or CSV at a path, http(s)://, s3:// or kaggle://; the configured one if left out.
        trials: finished and pruned trials that the study shall have; those of an interrupted run count.
        feature_set: launch, running or all (published is its old name); the schema's own if left out.
        seed: of the search, the fit and every sample.
        reasons: why this training was called for, for the model card.
        schema_uri: TOML at a path or s3://, that says what the rows are; the home's if left out.
    """
    schema = choose_schema(schema_uri, feature_set)
    data = validate(ingest(dataset, schema.name), schema)
    run = open_run(data, seed, reasons or [])
    explored = explore(data, run)
    parts = encode(data, split(data))
    searched = search(parts, run, trials, seed)
    choice = choose(searched, parts, run)
    fitted = fit(parts, choice, data, run, seed)
    scores = evaluate(fitted, parts, data, run)
    later = backtest(choice, parts, run, seed)
    registered = register(fitted, scores, later, data, explored, run, reasons or [])
    return promote(registered, parts, data, run)
