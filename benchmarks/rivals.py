"""What scoring is compared with, each written as its user would write it, and the floors that nothing gets below."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import measure, world
from campaign.batch import Batch
from campaign.ensemble import Ensemble, with_score
from campaign.linear import shifted
from campaign.model import ScoringModel
from campaign.schema import ID, LABEL
from campaign.schema_file import published, served_model

REPLACED, SKLEARN, PYFUNC, ONNX = "the replaced way", "scikit-learn at its best", "mlflow.pyfunc", "ONNX Runtime"
FLOOR, STRICT = "floor: read and write", "strict floor: what scoring reads and writes"
FEATURES = published().features
NAMES = [column.name for column in FEATURES]
GRID_WINNER: dict[str, Any] = {"n_estimators": 110, "max_depth": 10, "min_samples_leaf": 3}
BATCH_ROWS = 1 << 16


def write_models(folder: Path, environment: dict[str, str]) -> None:
    """The replaced project's model, and the champion as scikit-learn's Pipeline and as ONNX."""
    import joblib  # type: ignore[import-untyped]
    import mlflow
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction import DictVectorizer

    from tasks.mlflow_run import mlflow_client

    if (folder / "champion.onnx").exists():
        return
    os.environ.update(environment)
    mlflow_client()
    pipeline = mlflow.sklearn.load_model(f"models:/{served_model()}@champion")
    joblib.dump(pipeline, folder / "champion.joblib")
    (folder / "champion.onnx").write_bytes(as_onnx(forest_within(pipeline)))
    frame = pd.read_parquet(world.make_campaigns_file(folder, world.TRAINING_ROWS)).head(20_000)
    vectorizer = DictVectorizer(sparse=False)
    X = vectorizer.fit_transform(frame[NAMES].to_dict("records"))
    fitted = RandomForestClassifier(**GRID_WINNER, random_state=1).fit(X, frame[LABEL])
    joblib.dump((vectorizer, fitted), folder / "replaced.joblib")


def output_path(folder: Path, name: str, rows: int) -> Path:
    return folder / f"{name.replace(' ', '-').replace(':', '')}-{rows}.parquet"


def time_rival(name: str, folder: Path, rows: int) -> None:
    """Load the rival's model, warm it up, time it and report the result."""
    work = {
        REPLACED: replaced, SKLEARN: sklearn_at_its_best, PYFUNC: pyfunc, ONNX: onnx_runtime,
        FLOOR: read_and_write, STRICT: read_and_write_what_scoring_does,
    }[name](folder)  # fmt: skip
    work(world.make_campaigns_file(folder, 1_000), output_path(folder, name, 1_000))
    measure.report_result(lambda: work(world.make_campaigns_file(folder, rows), output_path(folder, name, rows)))


Work = Callable[[Path, Path], None]


def replaced(folder: Path) -> Work:
    import joblib

    vectorizer, forest = joblib.load(folder / "replaced.joblib")

    def work(source: Path, out: Path) -> None:
        frame = pd.read_parquet(source)
        probability = forest.predict_proba(vectorizer.transform(frame[NAMES].to_dict("records")))[:, 1]
        _write(frame[ID], probability, out)

    return work


def sklearn_at_its_best(folder: Path) -> Work:
    import joblib

    pipeline = joblib.load(folder / "champion.joblib")
    forest_within(pipeline).n_jobs = -1

    def work(source: Path, out: Path) -> None:
        frame = pd.read_parquet(source, columns=[ID, *NAMES])
        _write(frame[ID], pipeline.predict_proba(frame[NAMES])[:, 1], out)

    return work


def pyfunc(folder: Path) -> Work:
    import mlflow

    from tasks.mlflow_run import mlflow_client

    mlflow_client()
    model = mlflow.pyfunc.load_model(f"models:/{served_model()}@champion")

    def work(source: Path, out: Path) -> None:
        frame = pd.read_parquet(source, columns=[ID, *NAMES])
        for column in FEATURES:
            if not column.is_category:
                frame[column.name] = frame[column.name].astype(float)
        predictions = np.asarray(model.predict(frame[NAMES]))
        _write(frame[ID], predictions[:, -1] if predictions.ndim == 2 else predictions.astype(float), out)

    return work


def onnx_runtime(folder: Path) -> Work:
    """The champion's forest in ONNX Runtime. Reading is this project's, for ONNX has none for a file."""
    import onnxruntime  # type: ignore[import-untyped]

    from campaign.reading import read_campaigns
    from tasks.model_versions import load_version, require_champion

    model = load_version(require_champion(served_model()))
    session = onnxruntime.InferenceSession(folder / "champion.onnx")

    def work(source: Path, out: Path) -> None:
        ids, probabilities = [], []
        for batch in read_campaigns(str(source), model.schema):
            ids.append(batch.ids)
            probabilities.append(score_with_onnx(session, model, batch))
        _write(pa.chunked_array(ids), np.concatenate(probabilities), out)

    return work


def forest_within(part: Any) -> Any:
    """The fitted forest in a Pipeline, however deep it stands; None if there is none."""
    from sklearn.base import BaseEstimator
    from sklearn.ensemble import RandomForestClassifier

    if isinstance(part, RandomForestClassifier) and hasattr(part, "estimators_"):
        return part
    held: Iterable[Any] = part if isinstance(part, list | tuple) else ()
    if isinstance(part, dict | BaseEstimator):
        held = (part if isinstance(part, dict) else vars(part)).values()
    return next((forest for value in held if (forest := forest_within(value)) is not None), None)


def as_onnx(forest: Any) -> bytes:
    """scikit-learn's forest as ONNX Runtime loads it."""
    from skl2onnx import to_onnx  # type: ignore[import-untyped]

    example = np.zeros((1, forest.n_features_in_), np.float32)
    stored: bytes = to_onnx(forest, example, options={id(forest): {"zipmap": False}}).SerializeToString()
    return stored


def score_with_onnx(session: Any, model: ScoringModel, batch: Batch) -> NDArray[np.float64]:
    """The forest is ONNX's; encoding and the linear part are this project's, for what ONNX makes of a Pipeline takes
    longer."""
    matrix, predictor = model.encoder.encode(batch), model.predictor

    def of_forest(seen: NDArray[np.float32]) -> NDArray[np.float64]:
        probability: NDArray[np.float64] = session.run(None, {"X": np.ascontiguousarray(seen)})[1][:, 1].astype(float)
        return probability

    if not isinstance(predictor, Ensemble):
        return of_forest(matrix)
    linear = predictor.linear.predict(matrix)
    return shifted((linear + of_forest(with_score(linear, matrix))) / 2, predictor.shift)


def _write(ids: Any, probability: Any, out: Path) -> None:
    columns = {
        ID: ids,
        "probability": probability,
        "success": (probability > 0.5).astype(np.int8),
        "model_version": "1",
    }
    if isinstance(ids, pd.Series):
        pd.DataFrame(columns).to_parquet(out)
    else:
        version = pa.repeat(pa.scalar("1"), len(probability))
        pq.write_table(pa.table(columns | {"model_version": version}), out, compression="zstd", compression_level=1)


def read_and_write(folder: Path) -> Work:
    return lambda source, out: _copy(source, out, None)


def read_and_write_what_scoring_does(folder: Path) -> Work:
    """Every column that scoring reads is read; an id, a float64 and a few bits a row are written."""
    return lambda source, out: _copy(source, out, [ID, "RaisedAmount", "VideoIncluded"])


def _copy(source: Path, out: Path, written: list[str] | None) -> None:
    file = pq.ParquetFile(source)
    read = [ID, *NAMES] if written else None
    schema = pa.schema([file.schema_arrow.field(name) for name in written]) if written else file.schema_arrow
    with pq.ParquetWriter(out, schema, compression="zstd", compression_level=1) as writer:
        for batch in file.iter_batches(BATCH_ROWS, columns=read):
            writer.write_batch(batch.select(schema.names))
