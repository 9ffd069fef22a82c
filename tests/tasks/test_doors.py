"""Files of every kind through every door: rows in are rows used, rows in quarantine, and files named as unread."""

import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.schema_file import parse_schema
from campaign.store import Store
from campaign.warm_up import smallest_forest
from deployments.batch import predict
from deployments.web_service.live_model import LiveModel
from deployments.web_service.parquet import ParquetDecoder
from deployments.web_service.refusals import NotUnderstood
from deployments.web_service.upload import CSV, PARQUET, read_upload
from flows.first_look import render
from tasks.outcomes import Outcomes
from tasks.scoring.score import input_files
from tasks.scoring.scored_pieces import score_all, score_inputs
from tasks.training.ingest import Sources
from tasks.training.propose_schema import propose_schema
from tasks.training.validate import gather
from tests.published import CATEGORIES, FEATURES, KNOWN_CATEGORIES, SCHEMA

DAY = date(2026, 11, 22)
ROWS, BAD = 40, 2
MODEL = ScoringModel("campaign-success", "1", SCHEMA, Encoder.fit(FEATURES, KNOWN_CATEGORIES), smallest_forest())


def frame() -> pd.DataFrame:
    """Forty campaigns with their outcomes, two of them with an amount below zero."""
    made = pa.Table.from_batches(synthetic.campaigns(ROWS)).to_pandas().astype(dict.fromkeys(CATEGORIES, "str"))
    made.loc[[3, 30], "GoalAmount"] = -1
    return made.assign(Title='Café, "Zürich"\nand more')  # nobody reads it


def text(**options: str) -> str:
    return str(frame().to_csv(index=False, **options))


def as_parquet(change: Callable[[pa.Table], pa.Table] = lambda table: table) -> bytes:
    written = io.BytesIO()
    pq.write_table(change(pa.Table.from_pandas(frame(), preserve_index=False)), written, row_group_size=7)
    return written.getvalue()


def as_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("campaigns.csv", text())
    return packed.getvalue()


def with_views(table: pa.Table) -> pa.Table:
    texts = (pa.string(), pa.large_string())
    views = [field.with_type(pa.string_view()) if field.type in texts else field for field in table.schema]
    return table.cast(pa.schema(views))


def in_words_of_another_country(delimiter: str) -> bytes:
    numbers = frame().assign(RaisedAmount=frame()["RaisedAmount"].round(1))
    return str(numbers.to_csv(index=False, sep=delimiter)).encode("cp1252")


KINDS: dict[str, tuple[str, bytes, int]] = {  # name, content, further rows that cannot be read
    "CSV": ("a.csv", text().encode(), 0),
    "CSV in capitals": ("A.CSV", text().encode(), 0),
    "semicolons in cp1252": ("a.csv", in_words_of_another_country(";"), 0),
    "tabs, packed": ("a.tsv.gz", gzip.compress(text(sep="\t").encode()), 0),
    "UTF-16": ("a.csv", text().encode("utf-16"), 0),
    "zip": ("a.zip", as_zip(), 0),
    "CRLF and a BOM": ("a.csv", text(lineterminator="\r\n").encode("utf-8-sig"), 0),
    "JSON lines": ("a.jsonl", frame().to_json(orient="records", lines=True).encode(), 0),
    "an odd line": ("a.csv", text().encode() + b"Total,40\n", 1),
    "a lone quote": ("a.csv", text().encode() + b'"C9' + b",1" * 14 + b"\n", 1),
    "JSON lines, one cut": ("a.jsonl", frame().to_json(orient="records", lines=True).encode() + b'{"GoalAm\n', 1),
    "snake_case": ("a.csv", text().replace("GoalAmount", "goal_amount").replace("IsSucc", "is_succ").encode(), 0),
    "Parquet": ("a.parquet", as_parquet(), 0),
    "Parquet of Arrow's views": ("a.PARQ", as_parquet(with_views), 0),
}  # fmt: skip


@pytest.fixture(params=KINDS, ids=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[str, bytes, int]:
    return KINDS[request.param]


def put(folder: Path, kind: tuple[str, bytes, int]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / kind[0]).write_bytes(kind[1])
    return str(folder / kind[0])


def test_training_gathers_each_good_row_and_names_the_others(tmp_path: Path, kind: tuple[str, bytes, int]) -> None:
    file = put(tmp_path, kind)
    (tmp_path / "gathered").mkdir()
    data, rejected = gather(Sources(file, file, ()), tmp_path / "gathered", SCHEMA)
    assert (data.rows, data.bad, data.waiting) == (ROWS - BAD, BAD + kind[2], 0)
    reasons = [reason for table in rejected for reason in table.column("reasons").to_pylist()]
    assert len(reasons) == BAD + kind[2]
    assert reasons.count("GoalAmount is negative") == BAD


def test_a_day_is_scored_and_what_is_not_read_is_in_its_manifest(tmp_path: Path, kind: tuple[str, bytes, int]) -> None:
    folder = tmp_path / "incoming" / f"day={DAY}"
    put(folder, kind)
    (folder / "_SUCCESS").touch()
    (folder / "b.csv.crdownload").write_bytes(kind[1])
    store = Store(tmp_path.as_uri())
    manifest = score_inputs(store, DAY, input_files(store, DAY), MODEL, lambda pieces: score_all(store, pieces, MODEL))
    assert (manifest.rows.read, manifest.rows.scored) == (ROWS + kind[2], ROWS - BAD)
    assert manifest.rows.quarantined == BAD + kind[2]
    assert sorted(manifest.unread) == ["_SUCCESS", "b.csv.crdownload"]
    assert bool(manifest.inputs[0].written) == ("PAR" not in kind[0].upper())


def test_outcomes_are_those_of_every_row_that_can_be_read(tmp_path: Path, kind: tuple[str, bytes, int]) -> None:
    outcomes = Outcomes.read((put(tmp_path, kind),), SCHEMA)
    expected = frame()
    assert outcomes.of(pa.array(expected["CampaignID"], pa.string())).tolist() == expected["IsSuccessful"].tolist()


def test_the_web_service_answers_each_row(kind: tuple[str, bytes, int]) -> None:
    live = LiveModel(MODEL, 0)
    if b'"C9' in kind[1]:  # what is sent is a whole table, or none
        with pytest.raises(NotUnderstood, match="row 41 opens a quote that does not close"):
            read_upload(CSV, kind[1], live, ParquetDecoder())
        return
    upload = read_upload(PARQUET if kind[1].startswith(b"PAR1") else CSV, kind[1], live, ParquetDecoder())
    assert (upload.rows, len(upload.errors), len(upload.matrix)) == (ROWS + kind[2], BAD + kind[2], ROWS - BAD)


def test_the_batch_predictor_scores_a_file_and_a_folder_of_such_files(
    tmp_path: Path, kind: tuple[str, bytes, int]
) -> None:
    file = put(tmp_path / "file", kind)
    rows = predict.score(file, str(tmp_path / "predictions.parquet"), MODEL)
    assert (rows.scored, rows.quarantined) == (ROWS - BAD, BAD + kind[2])
    folder = tmp_path / "folder"
    put(folder, kind)
    put(folder, ("part.csv", text().replace("CID", "X").encode(), 0))
    (folder / "_SUCCESS").touch()
    rows = predict.score(str(folder), str(tmp_path / "predictions.parquet"), MODEL)
    assert (rows.scored, rows.quarantined) == (2 * (ROWS - BAD), 2 * BAD + kind[2])


def test_init_proposes_a_schema_under_which_each_row_is_accounted_for(
    tmp_path: Path, kind: tuple[str, bytes, int]
) -> None:
    file = put(tmp_path, kind)
    schema = parse_schema(render(propose_schema(file), "campaigns"))
    assert schema.row.id.replace("_", "").casefold() == "campaignid"
    (tmp_path / "gathered").mkdir()
    data, _ = gather(Sources(file, file, ()), tmp_path / "gathered", schema)
    assert data.rows + data.bad + data.waiting == ROWS + kind[2]
    assert data.rows >= ROWS - BAD
