"""Search, fit and register a forest, and make it champion if it earns that."""

from prefect import flow

from campaign.schema import FeatureSet
from tasks.choose import choose
from tasks.encode import encode
from tasks.evaluate import evaluate
from tasks.explore import explore
from tasks.fit import fit
from tasks.ingest import ingest
from tasks.promote import Verdict, promote
from tasks.register import register
from tasks.search import search
from tasks.split import split
from tasks.spread import task_runner
from tasks.track import open_run
from tasks.validate import validate


@flow(name="training", task_runner=task_runner())
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
