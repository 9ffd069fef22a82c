"""One loop is played on S3 and Postgres; these look at what it left behind."""

import io
import json
import shutil
from datetime import date

import mlflow
import pandas as pd
import pytest
import sqlalchemy as sa
from playwright.sync_api import sync_playwright

from campaign.schema_file import served_model
from campaign.settings import Settings
from campaign.store import Store
from flows.batch_scoring import batch_scoring
from flows.monitoring import monitoring
from tasks.manifest import read_manifest
from tasks.metrics_database import champions, database, metrics, scored
from tasks.mlflow_run import mlflow_client
from tasks.model_versions import files_of, find_champion, list_versions, load_version, require_champion

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def store(world) -> Store:
    return Store(Settings().store)


def rows_of(day: date) -> dict[tuple[str, str], sa.Row]:
    with database().connect() as connection:
        return {
            (row.metric, row.column_name): row
            for row in connection.execute(sa.select(metrics).where(metrics.c.day == day, metrics.c.source == "batch"))
        }


def test_the_first_version_is_champion(world):
    assert world.first.promoted
    assert world.first.version == "1"


def test_every_day_is_scored_by_the_champion_of_its_time(world, store):
    manifests = [read_manifest(store, day) for day in world.days]
    assert [manifest.model_version for manifest in manifests] == ["1"] * 7 + ["2"]


def test_no_row_is_lost(world, store):
    for day in world.days:
        manifest = read_manifest(store, day)
        parts, quarantine = (
            sum(len(pd.read_parquet(io.BytesIO(store.read(store.path_of(part.uri))))) for part in listed)
            for listed in (manifest.parts, manifest.quarantine)
        )
        assert (parts, quarantine) == (manifest.rows.scored, manifest.rows.quarantined)
        assert parts + quarantine == manifest.rows.read == world.ROWS


def test_predictions_have_the_documented_columns(world, store):
    part = read_manifest(store, world.days[0]).parts[0]
    frame = pd.read_parquet(io.BytesIO(store.read(store.path_of(part.uri))))
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "CampaignID": "str", "probability": "float64", "success": "int8", "model_version": "str",
    }  # fmt: skip
    assert ((frame["probability"] > 0.5) == (frame["success"] == 1)).all()


def test_quarantined_rows_say_why(world, store):
    part = read_manifest(store, world.days[0]).quarantine[0]
    frame = pd.read_parquet(io.BytesIO(store.read(store.path_of(part.uri))))
    reasons = set(frame["reasons"])
    assert reasons <= {"NumBackers is missing", "RaisedAmount is negative", "CampaignID was there before"}
    assert frame["source"].str.contains(f"day={world.days[0]}").all()


def test_totals_are_recorded(world, store):
    with database().connect() as connection:
        row = connection.execute(sa.select(scored).where(scored.c.day == world.days[0])).one()
    day = next(scored for scored in world.scored if scored.day == str(world.days[0]))
    assert row.predicted_success == day.successful
    assert row.rows_scored == day.successful + day.unsuccessful


def test_drift_is_seen_where_it_is_and_nowhere_else(world):
    days = {day.day: day for day in world.before_outcomes.days}
    assert [day.drifted for day in days.values()] == [False] * 5 + [True] * 2
    assert days[str(world.days[6])].drifted_columns[:2] == ["GoalAmount", "RaisedAmount"]


def test_without_outcomes_retraining_waits_for_them(world):
    assert world.before_outcomes.call.status == "awaiting_outcomes"
    assert "of its rows hold what training never saw" in world.before_outcomes.call.reasons[0]


def test_with_outcomes_retraining_is_called_for_with_its_reasons(world):
    assert world.with_outcomes.call.status == "called"
    assert any("drifted" in reason for reason in world.with_outcomes.call.reasons)


def test_outcomes_appear_in_the_metrics(world):
    rows = rows_of(world.days[0])
    assert rows["realised_roc_auc", ""].value > 0.95
    assert rows["outcomes", ""].value > 1_400


def test_the_second_champion_learnt_from_the_drift_and_does_better_in_it(world):
    assert world.second.promoted
    drifted, healed = rows_of(world.days[6]), rows_of(world.days[7])
    assert healed["realised_roc_auc", ""].value > drifted["realised_roc_auc", ""].value + 0.02
    assert (drifted["day_state", ""].status, healed["day_state", ""].status) == ("decayed", "ok")


def test_method_and_threshold_stand_beside_each_distance(world):
    rows = rows_of(world.days[0])
    numbers, categories = rows["column_drift", "GoalAmount"], rows["column_drift", "Category"]
    assert (numbers.method, categories.method) == ("Wasserstein distance (normed)", "Jensen-Shannon distance")
    assert numbers.threshold == categories.threshold == rows["prediction_drift", ""].threshold == 0.1


def test_missing_values_are_counted_on_all_rows_read(world, store):
    incoming = [pd.read_parquet(io.BytesIO(store.read(f"incoming/day={day}/campaigns.parquet"))) for day in world.days]
    missing = [float(frame["NumBackers"].isna().sum()) for frame in incoming]
    assert sum(missing) > 0
    measured = [rows_of(day)["missing_share", "NumBackers"].value * world.ROWS for day in world.days]
    assert measured == pytest.approx(missing)


def test_unknown_categories_are_scored_and_counted(world):
    assert sum(rows_of(day)["unknown_categories", "Category"].value for day in world.days) > 0


def test_moments_are_stored_with_their_zone(world):
    assert rows_of(world.days[0])["rows_read", ""].computed_at.tzinfo is not None


def test_each_day_has_a_report_with_every_feature(world, store):
    page = store.read(f"reports/day={world.days[0]}/drift.html").decode()
    assert all(name in page for name in ("GoalAmount", "SocialMediaPresence", "probability"))


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine (apt install chromium)")
def test_a_drift_report_says_of_what_it_is_and_has_its_marks_without_a_network(world, store, tmp_path):
    day = world.days[0]
    report = tmp_path / "drift.html"
    report.write_bytes(store.read(f"reports/day={day}/drift.html"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.goto(report.as_uri())
        page.wait_for_function("document.querySelectorAll('svg').length > 24")  # two distributions a column
        assert page.title() == f"Drift of {served_model()} version 1, campaigns of {day}"
        assert str(day) in page.locator("h1").first.inner_text()
        browser.close()


def test_a_second_run_finds_nothing_to_do(world):
    assert batch_scoring() == []
    assert monitoring().days == []


def test_the_same_cause_calls_once(world):
    assert world.eighth.call.status in ("not needed", "called_before", "awaiting_outcomes")


def test_a_day_scored_again_by_name_leaves_the_same_bytes(world, store):
    before = read_manifest(store, world.days[7])
    batch_scoring(day=world.days[7])
    for part in before.parts:
        store.delete(store.path_of(part.uri))
    store.delete(f"predictions/day={world.days[7]}/manifest.json")
    batch_scoring(day=world.days[7])
    after = read_manifest(store, world.days[7])
    assert [part.sha256 for part in after.parts] == [part.sha256 for part in before.parts]


def test_who_was_champion_is_on_record(world):
    with database().connect() as connection:
        rows = connection.execute(sa.select(champions).order_by(champions.c.changed_at)).all()
    assert [(row.version, row.previous) for row in rows[:2]] == [("1", None), ("2", "1")]


def test_every_trial_is_a_nested_run_with_its_metrics(world):
    version = list_versions(served_model())[-1]
    trials = mlflow_client().search_runs(
        [mlflow_client().get_run(version.run_id).info.experiment_id],
        f"tags.mlflow.parentRunId = '{version.run_id}' and tags.step = 'trial'",
    )
    assert len(trials) == 3
    assert all("min_samples_leaf" in run.data.params and "cpu_seconds" in run.data.metrics for run in trials)


def test_the_parent_run_holds_figures_card_and_search_plots(world):
    run = list_versions(served_model())[-1].run_id
    folders = ("", "explore", "evaluation", "search")
    paths = {artifact.path for folder in folders for artifact in mlflow_client().list_artifacts(run, folder)}
    assert {
        "model_card.md",
        "explore/violins.png",
        "explore/quality.png",
        "evaluation/calibration.png",
        "search/study.html",
    } <= paths


def test_the_card_names_the_leak_and_the_verdict(world):
    card = mlflow.artifacts.load_text(f"runs:/{list_versions(served_model())[0].run_id}/model_card.md")
    assert "`RaisedAmount` against `GoalAmount` decides the label by itself" in card
    assert "## Verdict\nChampion" in card


def test_the_registered_pipeline_and_the_flat_forest_say_the_same(world):
    version = require_champion(served_model())
    pipeline = mlflow.sklearn.load_model(f"models:/{version.model}/{version.number}")
    reference = pd.read_parquet(files_of(version) / "reference.parquet")
    probability = pipeline.predict_proba(reference)[:, 1]
    assert probability == pytest.approx(reference["probability"].to_numpy(), abs=1e-6)


def test_the_registered_model_answers_through_pyfunc(world):
    version = require_champion(served_model())
    model = mlflow.pyfunc.load_model(f"models:/{version.model}@champion")
    reference = pd.read_parquet(files_of(version) / "reference.parquet").head(20)
    probabilities = model.predict(reference.drop(columns=["CampaignID", "IsSuccessful", "probability", "success"]))
    assert probabilities[:, 1] == pytest.approx(reference["probability"].to_numpy(), abs=1e-6)


def test_no_pickle_is_in_a_registered_version(world):
    uri = f"models:/{served_model()}/1"
    folder = mlflow.artifacts.download_artifacts(uri)
    from pathlib import Path

    names = [path.name for path in Path(folder).rglob("*")]
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert {"forest.npz", "model.json", "reference.parquet", "model.skops"} <= set(names)


def test_a_version_says_what_it_learnt_from(world):
    version = find_champion(served_model())
    assert set(json.loads(version.tags["days"])) == {str(day) for day in world.days[:7]}
    assert load_version(version).about["reasons"] == world.with_outcomes.call.reasons


def test_no_test_row_was_ever_fitted(world):
    """The reference of each version holds test rows alone."""
    from campaign.identity import TEST, bucket_of

    for version in list_versions(served_model()):
        ids = pd.read_parquet(files_of(version) / "reference.parquet")["CampaignID"]
        assert {bucket_of(campaign_id) for campaign_id in ids} == {TEST}


def test_what_the_web_service_answered_is_monitored_beside_and_calls_for_nothing(world):
    day = world.days[7]
    with database().connect() as connection:
        by_source = {
            source: {
                row.metric: row
                for row in connection.execute(
                    sa.select(metrics).where(
                        metrics.c.day == day, metrics.c.source == source, metrics.c.column_name == ""
                    )
                )
            }
            for source in ("batch", "captured")
        }
        assert not connection.execute(
            sa.select(metrics).where(metrics.c.source == "captured", metrics.c.metric == "retraining")
        ).all()
    # The same campaigns, each in a request of its own; a hundred were written twice and count once.
    of_quality = [f"{kind}_{name}" for kind in ("realised", "estimated") for name in ("roc_auc", "accuracy")]
    for name in ("rows_scored", "predicted_success_rate", *of_quality):
        assert by_source["captured"][name].value == pytest.approx(by_source["batch"][name].value)
    assert by_source["captured"]["prediction_drift"].value == pytest.approx(
        by_source["batch"]["prediction_drift"].value, abs=0.02
    )
