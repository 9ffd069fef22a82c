"""What the web service is compared with, each as an application for the same uvicorn, and the models they serve."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import FastAPI, Request
from pydantic import create_model

from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.schema_file import published
from campaign.synthetic import campaigns

FOLDER = "CAMPAIGN_BENCHMARK"
SCHEMA = published()
FEATURES = SCHEMA.features
NAMES = [column.name for column in FEATURES]
KNOWN_CATEGORIES = {column.name: column.categories for column in FEATURES if column.is_category}
CATEGORIES = set(KNOWN_CATEGORIES)
ROWS = 20_000
FOREST = {"n_estimators": 110, "max_depth": 10, "min_samples_leaf": 3, "random_state": 1}
CONSTANT = {"success": True, "probability": 0.5, "model_version": "1", "prediction_id": "none"}


def replaced() -> FastAPI:
    """The approach that this service replaces: DictVectorizer and scikit-learn's own predict."""
    import joblib  # type: ignore[import-untyped]

    vectorizer, forest = joblib.load(Path(os.environ[FOLDER]) / "replaced.joblib")
    fields: dict[str, Any] = {column.name.lower(): (str if column.is_category else float, ...) for column in FEATURES}
    Campaign = create_model("Campaign", **fields)
    app = FastAPI()

    @app.post("/predict")
    async def predict(campaign: Campaign) -> dict[str, bool]:
        return {"success": bool(forest.predict(vectorizer.transform([campaign.model_dump()]))[0])}

    return app


def echo() -> FastAPI:
    """The ceiling: an endpoint that reads the same body and answers a constant."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        await request.json()
        return CONSTANT

    return app


def bare() -> Callable[..., Any]:
    """The same without FastAPI: what uvicorn alone can do."""
    import json

    answer = json.dumps(CONSTANT).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]

    async def predict(scope: Any, receive: Any, send: Any) -> None:
        json.loads((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return predict


def write_models(folder: Path) -> None:
    """A forest of the same size for each: as an exported champion, an MLflow model, and behind a DictVectorizer."""
    import joblib
    import mlflow
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    rows = pa.Table.from_batches(campaigns(ROWS))
    pq.write_table(rows, folder / "rows.parquet")
    batch = next(read_campaigns(str(folder / "rows.parquet"), SCHEMA, label=True))
    encoder = Encoder.fit(FEATURES, KNOWN_CATEGORIES)
    X, y = encoder.encode(batch), batch.label
    forest = RandomForestClassifier(**FOREST).fit(X, y)
    flat = Forest.from_sklearn(forest)
    ScoringModel("campaign-success", "1", SCHEMA, encoder, flat).save(folder / "bundle")
    (folder / "bundle" / "version.txt").write_text("1")
    reference = rows.slice(0, 2000).append_column("probability", pa.array(flat.predict(X[:2000])))
    pq.write_table(reference, folder / "bundle" / "reference.parquet")

    frame = rows.select([*NAMES]).to_pandas().astype(dict.fromkeys(CATEGORIES, "str"))
    encoders = [
        (
            name,
            OrdinalEncoder(categories=[list(encoder.categories[name])]) if name in CATEGORIES else "passthrough",
            [name],
        )
        for name in NAMES
    ]
    pipeline = Pipeline([("encode", ColumnTransformer(encoders)), ("forest", RandomForestClassifier(**FOREST))])
    mlflow.sklearn.save_model(
        pipeline.fit(frame, y),
        folder / "mlflow",
        pip_requirements=["scikit-learn"],
        pyfunc_predict_fn="predict_proba",
        serialization_format="skops",
        skops_trusted_types=["sklearn.tree._tree.Tree"],
    )

    vectorizer = DictVectorizer(sparse=False)
    records = [{name.lower(): value for name, value in row.items()} for row in frame.to_dict("records")]
    fitted = RandomForestClassifier(**FOREST).fit(vectorizer.fit_transform(records), y)
    joblib.dump((vectorizer, fitted), folder / "replaced.joblib")


def microseconds_a_row(bundle: Path, body: dict[str, Any]) -> float:
    """What scoring one campaign takes, from its checked values to its probability."""
    import time

    from deployments.web_service.live_model import LiveModel

    live = LiveModel(ScoringModel.load(bundle, "1"), 0)
    campaign = live.request.check(body)
    for _ in range(1000):
        live.score(campaign)
    durations = []
    for _ in range(5000):
        start = time.perf_counter()
        live.score(campaign)
        durations.append(time.perf_counter() - start)
    return float(np.median(durations) * 1e6)
