"""Search, fit and register a forest, and make it champion if it earns that."""

from prefect import flow

from campaign.schema import FeatureSet
from tasks.task_runner import ConfiguredTaskRunner
from tasks.training.choose import choose
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


@flow(name="training", task_runner=ConfiguredTaskRunner())  # type: ignore[arg-type]
def training(
    dataset: str | None = None,
    trials: int = 30,
    feature_set: FeatureSet = "published",
    seed: int = 1,
    reasons: list[str] | None = None,
) -> Verdict:
    """Learn from a data set and every day whose outcomes have arrived.

    Args:
        dataset: Parquet or CSV at a path, http(s)://, s3:// or kaggle://; the configured one if left out.
        trials: finished and pruned trials that the study shall have; those of an interrupted run count.
        feature_set: published (all twelve features) or launch (what is known when a campaign starts).
        seed: of the search, the fit and every sample.
        reasons: why this training was called for, for the model card.
    """
    data = validate(ingest(dataset), feature_set)
    run = open_run(data, feature_set, seed, reasons or [])
    explored = explore(data, run)
    parts = encode(data, split(data), feature_set)
    searched = search(parts, run, trials, seed)
    choice = choose(searched, parts, run)
    fitted = fit(parts, choice, data, run, seed)
    scores = evaluate(fitted, parts, data, run)
    registered = register(fitted, scores, data, explored, run, reasons or [])
    return promote(registered, parts, data, run)
