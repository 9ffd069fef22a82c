"""This project's side, as its user runs it: `campaign train` in a home of its own, and the champion's flat model.

Beside it the same champion as others would serve it: the registered Pipeline, and its forest in ONNX Runtime.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import measure, world
from benchmarks.measure import Timed
from benchmarks.rivals import ONNX, as_onnx, forest_within, score_with_onnx
from benchmarks.scoring import OURS

Floats = NDArray[np.float64]
Score = Callable[[], Floats]
PIPELINE = "the registered Pipeline"
THREADS = os.cpu_count() or 1
# A home of its own is no home if the environment names another's store, registry or server.
FOREIGN = ("CAMPAIGN_", "MLFLOW_", "PREFECT_")


def forget_other_homes() -> None:
    """Nothing that the environment says of another home reaches the trainings."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]


def environment_of(home: Path) -> dict[str, str]:
    """The code is this folder's, wherever the `campaign` command was installed from."""
    return {
        "CAMPAIGN_HOME": str(home),
        "PYTHONPATH": str(measure.ROOT),
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }


def train(data: Path, schema: str, home: Path, trials: int, seed: int) -> Timed:
    """The training of a file as a user starts it, with all processes that it needs."""
    words = ["train", str(data), "--schema", schema, "--trials", str(trials), "--seed", str(seed)]
    timed, _ = measure.time_command([str(world.CAMPAIGN), *words], environment_of(home))
    timed.name = OURS
    return timed


def scoring_of(name: str, sources: Path) -> Score:
    """From rows in a file to probabilities, with the champion of CAMPAIGN_HOME."""
    return {OURS: _flat_model, PIPELINE: _pipeline, ONNX: _onnx}[name](sources)


def _champion() -> Any:
    from campaign.schema_file import served_model
    from tasks.model_versions import load_version, require_champion

    return load_version(require_champion(served_model()))


def _flat_model(sources: Path) -> Score:
    from campaign.reading import read_campaigns

    model = _champion()
    return lambda: np.concatenate([
        model.probabilities_of(batch, THREADS) for batch in read_campaigns(str(sources), model.schema)
    ])  # fmt: skip


def _registered() -> Any:
    import mlflow

    from campaign.schema_file import served_model
    from tasks.mlflow_run import mlflow_client

    mlflow_client()
    pipeline = mlflow.sklearn.load_model(f"models:/{served_model()}@champion")
    return pipeline.set_params(**{name: -1 for name in pipeline.get_params() if name.endswith("n_jobs")})


def _pipeline(sources: Path) -> Score:
    """Reading and deriving columns are this project's; it knows columns as they are after that."""
    from campaign.reading import read_campaigns

    pipeline, schema = _registered(), _champion().schema

    def score() -> Floats:
        frames = [
            pd.DataFrame(batch.numbers | {name: _texts(values) for name, values in batch.categories.items()})
            for batch in read_campaigns(str(sources), schema)
        ]
        return np.asarray(pipeline.predict_proba(pd.concat(frames, ignore_index=True))[:, 1])

    return score


def _texts(values: pa.DictionaryArray) -> pd.Series:
    return values.cast(pa.string()).to_pandas()


def _onnx(sources: Path) -> Score:
    """The champion's forest alone: reading, encoding and the linear part are this project's."""
    import onnxruntime  # type: ignore[import-untyped]

    from campaign.reading import read_campaigns

    model, session = _champion(), onnxruntime.InferenceSession(as_onnx(forest_within(_registered())))
    return lambda: np.concatenate([
        score_with_onnx(session, model, batch) for batch in read_campaigns(str(sources), model.schema)
    ])  # fmt: skip
