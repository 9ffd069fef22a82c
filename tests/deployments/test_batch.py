import gzip
import io
import re
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.errors import NoChampion
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from deployments.champion import MLFLOW_LIMITS, registered_champion
from tests.published import CATEGORIES, FEATURES, KNOWN_CATEGORIES, SCHEMA

ROOT = Path(__file__).parents[2]
BATCH = ROOT / "deployments" / "batch"
ROWS = 600
COLUMNS = {"CampaignID": "string", "probability": "double", "success": "int8", "model_version": "string"}
BAD = {3: "NumBackers is missing", 5: "RaisedAmount is negative", 8: "CampaignID was there before"}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Campaigns of which three are bad and two are podcasts."""
    frame = pa.Table.from_batches(synthetic.campaigns(ROWS)).to_pandas()
    frame = frame.astype(dict.fromkeys(CATEGORIES, "str") | {"NumBackers": "Int64"})
    frame.loc[3, "NumBackers"] = None
    frame.loc[5, "RaisedAmount"] *= -1
    frame.loc[8, "CampaignID"] = frame.loc[7, "CampaignID"]
    frame.loc[[20, 21], "Category"] = "Podcast"
    return frame


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `campaign champion export` writes."""
    folder = tmp_path_factory.mktemp("champion")
    pq.write_table(pa.Table.from_batches(synthetic.campaigns(2000)), folder / "a.parquet")
    batch = next(read_campaigns(str(folder / "a.parquet"), SCHEMA, label=True))
    encoder = Encoder.fit(FEATURES, KNOWN_CATEGORIES)
    forest = RandomForestClassifier(5, random_state=1).fit(encoder.encode(batch), batch.label)
    ScoringModel("campaign-success", "?", SCHEMA, encoder, Forest.from_sklearn(forest)).save(folder / "bundle")
    (folder / "bundle" / "version.txt").write_text("7\n")
    return folder / "bundle"


@pytest.fixture
def work(tmp_path: Path, frame: pd.DataFrame, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the campaigns as CSV and as Parquet, and a champion at hand."""
    frame.to_csv(tmp_path / "day.csv", index=False)
    frame.to_parquet(tmp_path / "day.parquet", index=False)
    monkeypatch.setenv("CAMPAIGN_BUNDLE", str(bundle))
    for name, value in MLFLOW_LIMITS.items():  # else they would outlive the test
        monkeypatch.setenv(name, value)
    return tmp_path


@dataclass
class Ended:
    returncode: int
    stdout: str
    stderr: str


def in_process(work: Path, *arguments: str) -> Ended:
    """What the command line does, without the seconds that a new process takes to import."""
    code: Any = 0
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), chdir(work):
        patch.setattr(sys, "argv", ["predict.py", *arguments])
        patch.setattr(signal, "signal", lambda *_: None)
        try:
            runpy.run_path(str(BATCH / "predict.py"), run_name="__main__")
        except SystemExit as ending:
            code = ending.code
    if isinstance(code, str):
        print(code, file=err)
        code = 1
    return Ended(code, out.getvalue(), err.getvalue())


def predict(work: Path, *arguments: str) -> Ended:
    command = [sys.executable, str(BATCH / "predict.py"), *arguments]
    ended = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=120)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def totals(ended: Ended) -> tuple[int, int]:
    assert ended.returncode == 0, ended.stderr
    counts = re.search(r"Total successful campaigns: (\d+)\nTotal unsuccessful campaigns: (\d+)\n", ended.stdout)
    assert counts, ended.stdout
    return int(counts[1]), int(counts[2])


def refusal(ended: Ended) -> str:
    """The two sentences of a refusal: no traceback, nothing printed, nothing written."""
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 2, ended.stderr
    assert all(line.endswith((".", "…")) for line in ended.stderr.splitlines())
    return ended.stderr


def test_totals_are_those_of_the_predictions(work: Path, frame: pd.DataFrame, bundle: Path) -> None:
    ended = predict(work, "day.parquet")
    written = pq.read_table(work / "day-predictions.parquet")
    assert {field.name: str(field.type) for field in written.schema} == COLUMNS
    predictions = written.to_pandas()
    assert totals(ended) == ((predictions.success == 1).sum(), (predictions.success == 0).sum())
    assert predictions.CampaignID.tolist() == frame.drop(index=list(BAD)).CampaignID.tolist()
    assert set(predictions.model_version) == {"7"}
    model = ScoringModel.load(bundle, "7")
    batch = next(read_campaigns(str(work / "day.parquet"), SCHEMA))
    expected = np.delete(model.probabilities_of(batch), list(BAD))
    np.testing.assert_array_equal(predictions.probability, expected)
    np.testing.assert_array_equal(predictions.success, expected > 0.5)


def test_bad_rows_are_put_aside_with_their_reasons(work: Path) -> None:
    ended = in_process(work, "day.parquet")
    aside = pq.read_table(work / "day-predictions-quarantine.parquet").to_pandas()
    assert dict(zip(aside.row - 1, aside.reasons, strict=True)) == BAD
    assert f"Quarantined rows: 3, with their reasons in {work}/day-predictions-quarantine.parquet\n" in ended.stdout
    assert "Rows with a category that training never saw: Category 2\n" in ended.stdout


def test_csv_and_parquet_are_predicted_alike(work: Path) -> None:
    (work / "day.csv.gz").write_bytes(gzip.compress((work / "day.csv").read_bytes()))
    answers = []
    for name in ("day.parquet", "day.csv", "day.csv.gz"):
        printed = totals(in_process(work, name, "--out", f"{name}.out/"))
        answers.append((printed, pq.read_table(work / f"{name}.out" / "day-predictions.parquet")))
    assert answers[0] == answers[1] == answers[2]


def test_without_bad_rows_nothing_is_said_of_them_and_an_earlier_quarantine_goes(
    work: Path, frame: pd.DataFrame
) -> None:
    in_process(work, "day.csv")
    frame.drop(index=[*BAD, 20, 21]).to_csv(work / "day.csv", index=False)
    ended = in_process(work, "day.csv")
    assert sum(totals(ended)) == ROWS - 5
    assert "Quarantined" not in ended.stdout
    assert "never saw" not in ended.stdout
    assert sorted(path.name for path in work.iterdir()) == ["day-predictions.parquet", "day.csv", "day.parquet"]


@pytest.mark.parametrize(
    ("name", "damage", "expected"),
    [
        ("day.parquet", lambda data: data[: len(data) // 2], "day.parquet: it is damaged or truncated"),
        ("day.parquet", lambda data: b"", "day.parquet: the file is empty"),
        ("day.csv", lambda data: data.replace(b"GoalAmount", b"Goal"), "day.csv: column GoalAmount is missing"),
        ("day.csv", lambda data: b"\0\1\2" * len(data), "day.csv: it is not a text file"),
    ],
    ids=["half a Parquet", "empty", "a column is missing", "no text"],
)
def test_a_damaged_file_leaves_earlier_predictions_alone(work: Path, name: str, damage: Any, expected: str) -> None:
    (work / "day-predictions.parquet").write_text("earlier")
    (work / name).write_bytes(damage((work / name).read_bytes()))
    assert expected in refusal(in_process(work, name))
    assert sorted(path.name for path in work.iterdir()) == ["day-predictions.parquet", "day.csv", "day.parquet"]
    assert (work / "day-predictions.parquet").read_text() == "earlier"


def test_a_line_that_is_no_row_is_quarantined_and_the_others_are_scored(work: Path) -> None:
    usual = sum(totals(in_process(work, "day.csv")))
    (work / "day.csv").write_bytes((work / "day.csv").read_bytes() + b"1,2\n")
    ended = in_process(work, "day.csv")
    assert sum(totals(ended)) == usual
    rejected = pq.read_table(work / "day-predictions-quarantine.parquet").to_pylist()
    assert rejected[-1]["reasons"].startswith("has 2 fields, the header has ")
    assert rejected[-1]["text"] == "1,2"


def test_a_file_that_is_not_there_is_named(work: Path) -> None:
    assert "nowhere.csv: there is no such file.\n" in refusal(in_process(work, "nowhere.csv"))


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("day.parquet", "which is the input itself"),
        ("./day.parquet", "which is the input itself"),
        ("{work}/day.parquet", "which is the input itself"),
        ("file://{work}/day.parquet", "which is the input itself"),
        ("{work}/../{work.name}/day.parquet", "which is the input itself"),
        ("linked.parquet", "which is the input itself"),
        ("predictions.csv", "predictions are Parquet"),
        ("ftp://there/a.parquet", "there is no store of this kind"),
        ("s3://a.parquet", "which names no file in a bucket"),
        ("/proc/nowhere/a.parquet", 'docker run -v "$PWD:/work"'),
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused(work: Path, out: str, expected: str) -> None:
    before = (work / "day.parquet").read_bytes()
    (work / "linked.parquet").symlink_to("day.parquet")
    assert expected in refusal(in_process(work, "day.parquet", "--out", out.format(work=work)))
    assert (work / "day.parquet").read_bytes() == before


# Where the champion comes from


def test_without_a_champion_both_ways_to_give_one_are_named(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPAIGN_BUNDLE", str(work / "nothing"))
    message = refusal(predict(work, "day.csv"))
    assert "Set MLFLOW_TRACKING_URI to a tracking server" in message
    assert "`campaign champion export DIR`" in message
    assert "-v DIR:/bundle:ro" in message


@pytest.mark.parametrize("file", ["version.txt", "forest.npz"])
def test_a_bundle_that_is_not_whole_is_to_be_written_again(
    work: Path, bundle: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "bundle").mkdir()
    for path in bundle.iterdir():
        if path.name != file:
            (work / "bundle" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("CAMPAIGN_BUNDLE", str(work / "bundle"))
    message = refusal(in_process(work, "day.csv"))
    assert "is not whole" in message or "is damaged or not whole" in message
    assert "Write it again" in message


def test_the_alias_in_mlflow_names_the_champion(work: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    tracking = f"sqlite:///{work}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
    connected = MlflowClient(tracking)
    connected.create_registered_model("other")
    run = connected.create_run(connected.create_experiment("other", (work / "artifacts").as_uri())).info.run_id
    for number in ("1", "2"):
        files = work / f"model-{number}" / "extra_files"
        files.mkdir(parents=True)
        for path in bundle.iterdir():
            (files / path.name).write_bytes(path.read_bytes())
        (files.parent / "MLmodel").write_text("flavors: {}\n")
        connected.create_model_version("other", str(files.parent), run)
    monkeypatch.setenv("CAMPAIGN_MODEL", "other")
    with pytest.raises(NoChampion, match="other has no champion yet in MLflow at sqlite:"):
        registered_champion("other")
    connected.set_registered_model_alias("other", "champion", "1")
    totals(in_process(work, "day.csv"))
    assert set(pq.read_table(work / "day-predictions.parquet")["model_version"].to_pylist()) == {"1"}


def test_an_mlflow_that_is_away_is_named_without_its_password(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    message = refusal(in_process(work, "day.csv"))
    assert "MLflow at http://127.0.0.1:9 does not say who is champion" in message
    assert "secret" not in message


# Where the campaigns come from


@pytest.fixture
def site(work: Path) -> Iterator[str]:
    """The address of a web server that hands out the files of the working folder; `cut/…` breaks off half-way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = work / self.path.partition("?")[0].rpartition("/")[2]
            path = work / "day.csv" if path.name == "export" else path
            if not path.exists():
                self.send_error(404, "Not Found")
                return
            data = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/csv" if path.suffix == ".csv" else "application/octet-stream")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            # Between two lines, where half a CSV looks like a whole one.
            self.wfile.write(data[: data.index(b"\n", len(data) // 2) + 1] if "/cut/" in self.path else data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_on_the_web_is_predicted_like_the_same_file_here(work: Path, site: str) -> None:
    here = totals(in_process(work, "day.csv", "--out", "here.parquet"))
    for address, name in (("day.csv?signature=1", "day"), ("day.parquet", "day"), ("export", "export")):
        assert totals(in_process(work, f"{site}/{address}")) == here
        assert pq.read_table(work / f"{name}-predictions.parquet") == pq.read_table(work / "here.parquet")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("none.csv?signature=secret", "none.csv: cannot be downloaded (404 Not Found)."),
        ("cut/day.csv?signature=secret", "cut/day.csv: cannot be downloaded (it ended after"),
    ],
)
def test_a_download_that_fails_or_breaks_off_is_no_answer(work: Path, site: str, address: str, expected: str) -> None:
    message = refusal(in_process(work, f"{site}/{address}"))
    assert expected in message
    assert "secret" not in message
    assert not (work / "day-predictions.parquet").exists()


def test_campaigns_and_predictions_may_be_in_a_bucket(work: Path, s3: str) -> None:
    store = pafs.S3FileSystem(endpoint_override=s3.removeprefix("http://"), scheme="http", region="us-east-1")
    with store.open_output_stream("campaign/batch/day.parquet") as stream:
        stream.write((work / "day.parquet").read_bytes())
    here = totals(in_process(work, "day.parquet"))
    assert totals(in_process(work, "s3://campaign/batch/day.parquet", "--out", "s3://campaign/batch/out/")) == here
    for name in ("day-predictions.parquet", "day-predictions-quarantine.parquet"):
        remote, local = pq.read_table(f"campaign/batch/out/{name}", filesystem=store), pq.read_table(work / name)
        assert (
            remote.drop_columns("source") == local.drop_columns("source")
            if "source" in local.schema.names
            else remote == local
        )
    assert "s3://campaign/batch/none.csv" in refusal(in_process(work, "s3://campaign/batch/none.csv"))


# What it is made of


def test_it_needs_no_prefect_no_scikit_learn_and_mlflow_only_when_asked(work: Path) -> None:
    seen = "import runpy, sys\ntry:\n runpy.run_path(sys.argv[0], run_name='__main__')\nfinally:\n print(*sys.modules)"
    code = f"import sys; sys.argv = [{str(BATCH / 'predict.py')!r}, 'day.csv']\n{seen}"
    ended = subprocess.run([sys.executable, "-c", code], cwd=work, capture_output=True, text=True, timeout=120)
    roots = {name.partition(".")[0] for name in ended.stdout.splitlines()[-1].split()}
    assert "campaign" in roots
    assert not roots & {"prefect", "mlflow", "sklearn", "sqlalchemy", "fastapi", "tasks", "flows"}


def test_the_lock_agrees_with_that_of_the_project_and_has_hashes_and_no_address() -> None:
    text, whole = (BATCH / "requirements.lock").read_text(), (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^[a-z0-9].*?==\S+", text, flags=re.MULTILINE)
    assert len(packages) > 5
    assert set(packages) <= set(re.findall(r"^[a-z0-9].*?==\S+", whole, flags=re.MULTILINE))
    assert text.count("--hash=") >= len(packages)
    assert "://" not in text
