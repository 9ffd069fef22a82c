"""Other people's campaigns through the real loop: train, contest or decline, score, monitor, get outcomes, serve."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from campaign.errors import BadInput
from campaign.schema import Schema
from campaign.schema_file import parse_schema, served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.champions import export_champion
from flows.monitoring import monitoring
from flows.training import training
from tasks.manifest import read_manifest
from tasks.metrics_database import database, metrics
from tasks.model_versions import find_version, list_versions, load_version, require_champion
from tests.deployments.web_world import running
from tests.published import MOOD, PUBLISHED_TOML

DAY = datetime.now(UTC).date() - timedelta(days=3)

PROJECTS = """
[model]
name = "projects"
title = "Projects"
[row]
id = "ID"
launch = "launched"
end = "deadline"
[outcome]
column = "state"
success = ["successful"]
failure = ["failed"]
noun = "project"
yes = "be funded"
no = "fall short"
[[column]]
name = "GoalUSD"
source = "usd_goal"
type = "number"
known = "at launch"
minimum = 0
role = "goal"
[[column]]
name = "age"
type = "number"
known = "at launch"
nullable = true
[[column]]
name = "country"
type = "category"
known = "at launch"
segment = true
[[column]]
name = "Days"
type = "number"
known = "at launch"
derive = { days_between = ["launched", "deadline"] }
minimum = 0
[[column]]
name = "pledged"
type = "number"
known = "at the end"
"""
CALLS = """
[model]
name = "calls"
[outcome]
column = "y"
success = ["subscribed"]
failure = ["declined"]
decide = { gain = 100, cost = 4 }
noun = "call"
yes = "subscribe"
no = "decline"
[[column]]
name = "age"
type = "number"
known = "at launch"
[[column]]
name = "job"
type = "category"
known = "at launch"
[[column]]
name = "duration"
type = "number"
known = "at the end"
"""


def projects(rows: int, seed: int) -> pd.DataFrame:
    """Short ones with small goals succeed; some say no age, some are live yet."""
    rng = np.random.default_rng(seed)
    goal, days = rng.integers(100, 50_000, rows), rng.integers(5, 60, rows)
    launched = pd.Timestamp(DAY) + pd.to_timedelta(rng.integers(0, 86_400, rows), "s")
    chance = 1 / (1 + np.exp((goal - 20_000) / 6_000 + (days - 30) / 8))
    state = np.where(rng.random(rows) < chance, "successful", "failed")
    return pd.DataFrame({
        "ID": np.arange(rows) + seed * 1_000_000, "usd_goal": goal, "launched": launched.astype(str),
        "age": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(18, 80, rows)),
        "country": rng.choice(["DE", "FR", "US"], rows),
        "deadline": (launched + pd.to_timedelta(days, "D")).astype(str),
        "pledged": rng.integers(0, 90_000, rows), "state": np.where(rng.random(rows) < 0.05, "live", state),
    })  # fmt: skip


def calls(rows: int, seed: int) -> pd.DataFrame:
    """Three in a hundred subscribe, students most; many rows are equal, and none has an id."""
    rng = np.random.default_rng(seed)
    job = rng.choice(["admin", "student", "retired"], rows, p=[0.7, 0.1, 0.2])
    age = rng.integers(18, 60, rows)
    subscribed = rng.random(rows) < np.where(job == "student", 0.2, 0.012)
    return pd.DataFrame({
        "age": age, "job": job, "duration": rng.integers(0, 900, rows),
        "y": np.where(subscribed, "subscribed", "declined"),
    })  # fmt: skip


@pytest.fixture(scope="module")
def homes(prefect_api: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Homes by name; the one that was asked for last is CAMPAIGN_HOME."""
    folder = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CAMPAIGN_STORE", "CAMPAIGN_METRICS_URL", "CAMPAIGN_OPTUNA_URL", "CAMPAIGN_DATASET"):
            patch.delenv(name, raising=False)

        def use(name: str) -> Path:
            patch.setenv("CAMPAIGN_HOME", str(folder / name))
            (folder / name).mkdir(exist_ok=True)
            return folder / name

        yield use


def write(path: Path, frame: pd.DataFrame) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)
    return str(path)


def arrive(folder: str, frame: pd.DataFrame) -> None:
    write(Settings().home / f"store/{folder}/day={DAY}/{folder}.parquet", frame)


def metric(name: str, column: str = "") -> Any:
    with database().connect() as connection:
        query = sa.select(metrics.c.value).where(metrics.c.metric == name, metrics.c.column_name == column)
        return connection.execute(query.order_by(metrics.c.computed_at.desc()).limit(1)).scalar()


def train(home: Path, text: str, frame: pd.DataFrame, **options: Any) -> Any:
    """A version of this schema, which becomes the home's as `campaign train --schema` would have it."""
    (home / "given.toml").write_text(text)
    data = write(home / f"data-{len([*home.glob('data-*')])}.parquet", frame)
    verdict = training(data, trials=1, schema_uri=str(home / "given.toml"), **options)
    (home / "campaign.toml").write_text(text)
    return verdict


def play(frame: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Score a day, monitor it, let outcomes come and monitor again; gives its predictions."""
    arrive("incoming", frame)
    [scored] = batch_scoring(day=DAY)
    assert (scored.rows.read, scored.rows.quarantined) == (len(frame), 0)
    assert monitoring(day=DAY, reports=False).days[0].roc_auc is None
    arrive("outcomes", outcomes)
    [day] = monitoring(day=DAY, reports=False).days
    assert day.roc_auc is not None
    manifest = read_manifest(Store(Settings().store), DAY)
    assert manifest is not None
    return pd.concat([pd.read_parquet(part.uri) for part in manifest.parts], ignore_index=True)


@pytest.fixture(scope="module")
def project_world(homes: Callable[[str], Path]) -> dict[str, Any]:
    home = homes("projects")
    verdict = train(home, PROJECTS, projects(2_500, 1))
    day = projects(1_300, 2)
    predictions = play(day.drop(columns=["state", "pledged"]), day[["ID", "state"]])
    return {
        "home": home,
        "verdict": verdict,
        "day": day,
        "predictions": predictions,
        "roc_auc": metric("realised_roc_auc"),
    }


def test_derived_and_nullable_columns_are_learnt_from_scored_and_monitored(project_world: Any) -> None:
    assert project_world["verdict"].promoted
    assert project_world["roc_auc"] > 0.75
    predictions, day = project_world["predictions"], project_world["day"]
    assert predictions["CampaignID"].tolist() == day["ID"].astype(str).tolist()
    scored = day.assign(probability=predictions["probability"])
    assert scored[scored["usd_goal"] < 5_000]["probability"].mean() > 0.7
    assert scored[scored["usd_goal"] > 40_000]["probability"].mean() < 0.2


def test_what_is_missing_in_a_nullable_column_is_counted_and_drifts_by_its_values_alone(
    homes: Any, project_world: Any
) -> None:
    homes("projects")
    assert 0.1 < metric("missing_share", "age") < 0.3
    assert metric("column_drift", "age") < 0.1
    assert metric("outcomes") == sum(project_world["day"]["state"] != "live")


def test_a_model_carries_its_schema_and_what_training_saw(homes: Any, project_world: Any) -> None:
    homes("projects")
    model = load_version(require_champion("projects"))
    assert isinstance(model.schema, Schema)
    assert model.schema == parse_schema(PROJECTS)
    assert model.columns["country"]["categories"].keys() == {"DE", "FR", "US"}
    assert 0.1 < model.columns["age"]["missing"] / sum(model.columns["country"]["categories"].values()) < 0.3
    assert model.about["base_rate"] == pytest.approx(0.4, abs=0.15)
    version = require_champion("projects")
    assert (version.tags["schema"], version.tags["schema_digest"]) == ("projects", model.schema.digest)


def test_its_pipeline_in_mlflow_says_the_same(homes: Any, project_world: Any) -> None:
    import mlflow

    homes("projects")
    model = load_version(require_champion("projects"))
    reference = pd.read_parquet(next((Settings().cache / "models/projects").glob("1-*")) / "reference.parquet")
    loaded = mlflow.pyfunc.load_model("models:/projects/1")
    probability = loaded.predict(reference[[column.name for column in model.schema.features]])[:, 1]
    np.testing.assert_allclose(probability, reference["probability"], atol=1e-9)
    assert reference["age"].isna().any()


def test_it_is_served_under_its_own_fields(
    homes: Any, project_world: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    homes("projects")
    from deployments.web_service.app import create_app

    export_champion("projects", tmp_path / "bundle")
    monkeypatch.setenv("CAMPAIGN_BUNDLE", str(tmp_path / "bundle"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    asked = {"usd_goal": 900, "country": "de", "launched": "2016-01-01", "DEADLINE": "2016-01-15"}
    with running(create_app()) as web:
        web.service.rotation.refresh()
        answer = web.ask.post("/predict", json=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json()["probability"] > 0.6
        assert web.ask.post("/predict", json=asked | {"age": None, "goalusd": 49_000}).json()["probability"] > 0.6
        model = web.ask.get("/model").json()
        assert [field["field"] for field in model["asked"]] == ["usd_goal", "age", "country", "launched", "deadline"]
        assert model["title"] == "Projects"
        explanation = web.ask.post("/explain", json=asked).json()
        assert {share["field"] for share in explanation["contributions"]} == {"usd_goal", "age", "country", "days"}
        [days] = [share["value"] for share in explanation["contributions"] if share["field"] == "days"]
        assert days == 14
        csv = "usd_goal,age,country,launched,deadline\n900,,US,2016-01-01,2016-01-15\n900,,US,2016-01-15,2016-01-01\n"
        batch = web.ask.post("/predict/batch", content=csv, headers={"content-type": "text/csv"}).json()
        assert batch["predictions"][1] == {"row": 2, "error": "deadline is before launched; Days is missing"}
        [row, *_] = web.captured().to_pylist()
        assert (row["GoalUSD"], row["Days"], row["age"]) == (900, 14, None)
        document = web.ask.get("/openapi.json").json()["components"]["schemas"]["Campaign"]
        assert set(document["required"]) == {"usd_goal", "country", "launched", "deadline"}


def test_data_that_shares_no_campaign_with_the_champions_never_contests_it(homes: Any, project_world: Any) -> None:
    home = homes("projects")
    verdict = train(home, PROJECTS, projects(2_500, 7))
    assert not verdict.promoted
    assert "shares no campaigns with those that version 1 was judged on" in verdict.reason
    assert verdict.reason.endswith(f"`campaign champion set {verdict.version}`")


def test_another_name_in_a_home_that_has_a_champion_stops_with_the_command_that_works(
    homes: Any, project_world: Any
) -> None:
    home = homes("projects")
    with pytest.raises(BadInput) as caught:
        train(home, CALLS, calls(500, 1))
    assert "This home serves projects" in caught.value.cause
    assert "campaign --home .campaign-calls train" in caught.value.remedy


@pytest.fixture(scope="module")
def call_world(homes: Callable[[str], Path]) -> dict[str, Any]:
    home = homes("calls")
    verdict = train(home, CALLS, calls(6_000, 1))
    day = calls(3_000, 2)
    predictions = play(day.drop(columns=["y", "duration"]), day.drop(columns=["duration"]))
    return {"verdict": verdict, "day": day, "predictions": predictions, "outcomes": metric("outcomes")}


def test_rows_without_an_id_are_joined_to_their_outcomes_by_what_they_hold(call_world: Any) -> None:
    assert call_world["verdict"].promoted
    assert call_world["predictions"]["CampaignID"].is_unique
    assert call_world["outcomes"] == len(call_world["day"]) == len(call_world["predictions"])


def test_where_success_is_rare_a_success_is_what_it_pays_to_act_on(homes: Any, call_world: Any) -> None:
    homes("calls")
    model = load_version(require_champion("calls"))
    assert model.threshold == pytest.approx(0.04)
    predictions = call_world["predictions"]
    assert (predictions["success"] == (predictions["probability"] > 0.04)).all()
    students = (call_world["day"]["job"] == "student").to_numpy()
    assert predictions["success"][students].mean() > 0.5 > 0.2 > predictions["success"][~students].mean()


def test_a_schema_with_another_column_contests_the_champion_on_the_same_rows(homes: Callable[[str], Path]) -> None:
    from campaign import synthetic

    home = homes("columns")
    rows = pd.concat([batch.to_pandas() for batch in synthetic.campaigns(3_000)])
    rows["Mood"] = np.random.default_rng(1).random(len(rows))
    assert train(home, PUBLISHED_TOML, rows).promoted
    verdict = train(home, PUBLISHED_TOML + MOOD, rows, seed=2)
    assert verdict.roc_auc["all"]["rows"] > 400  # both were compared
    assert abs(verdict.roc_auc["all"]["candidate"] - verdict.roc_auc["all"]["champion"]) < 0.1
    assert load_version(list_versions(served_model())[0]).schema == parse_schema(PUBLISHED_TOML + MOOD)
    assert load_version(find_version(served_model(), "1")).schema == parse_schema(PUBLISHED_TOML)
