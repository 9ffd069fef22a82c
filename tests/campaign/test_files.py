from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from campaign import synthetic
from campaign.errors import BadInput
from campaign.files import files_of, is_readable_name, metadata_of
from campaign.reading import read_campaigns
from tests.published import CATEGORIES, SCHEMA

HIDDEN = [
    "_SUCCESS", ".part-0.parquet.crc", "_temporary/0/part-0.parquet", "_delta_log/0.parquet", "a.csv.tmp",
    "a.csv.crdownload", ".ipynb_checkpoints/a.csv", "~$a.csv", "notes.txt", "a.xlsx",
]  # fmt: skip


def campaigns_frame(rows: int) -> pd.DataFrame:
    frame = pa.Table.from_batches(synthetic.campaigns(rows)).to_pandas()
    return frame.astype(dict.fromkeys(CATEGORIES, "str"))


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_unfinished_or_of_another_kind_is_no_file_of_campaigns(name: str) -> None:
    assert not is_readable_name(name)


@pytest.mark.parametrize(
    "name", ["a.parquet", "A.PARQUET", "a.parq", "a.csv", "a.CSV.GZ", "x/y/a.tsv", "a.jsonl", "a.zip"]
)
def test_files_of_campaigns_are_told_by_their_names(name: str) -> None:
    assert is_readable_name(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set as Spark writes it: parts of which one is empty, and what is no part."""
    folder = tmp_path / "campaigns.parquet"
    folder.mkdir()
    frame = campaigns_frame(30)
    for number, part in enumerate((frame[:10], frame[10:10], frame[10:])):
        part.to_parquet(folder / f"part-0000{number}.snappy.parquet", index=False)
    for name in HIDDEN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no campaign")
    return folder


@pytest.mark.parametrize("kind", ["path", "file"])
def test_a_folder_of_parts_is_read_as_one_file(folder: Path, kind: str) -> None:
    batches = list(read_campaigns(str(folder) if kind == "path" else folder.as_uri(), SCHEMA))
    assert [row for batch in batches for row in batch.ids.to_pylist()] == campaigns_frame(30)["CampaignID"].tolist()
    assert {batch.source for batch in batches if len(batch)} == {
        "part-00000.snappy.parquet",
        "part-00002.snappy.parquet",
    }


def test_equal_rows_in_two_parts_are_two_campaigns(tmp_path: Path) -> None:
    schema = SCHEMA.model_copy(update={"row": SCHEMA.row.model_copy(update={"id": ""})})
    frame = campaigns_frame(5).drop(columns="CampaignID")
    for name in ("a.csv", "b.csv"):
        frame.to_csv(tmp_path / name, index=False)
    ids = [row for batch in read_campaigns(str(tmp_path), schema) for row in batch.ids.to_pylist()]
    assert ids[5:] == [f"{campaign_id}-2" for campaign_id in ids[:5]]


def test_a_folder_without_campaigns_is_called_a_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(BadInput, match=r"it is a folder that holds no file of campaigns \(found: notes\.txt\)"):
        files_of(str(tmp_path))
    with pytest.raises(BadInput, match="it is a folder, not a file"):
        metadata_of(str(tmp_path), "a")


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    campaigns_frame(5).to_csv(tmp_path / "a.csv", index=False)
    [batch] = read_campaigns("~/a.csv", SCHEMA)
    assert len(batch) == 5


def test_an_excel_workbook_is_called_one(tmp_path: Path) -> None:
    for name, start in (("a.parquet", b"PK\x03\x04\x14\x00"), ("b.parquet", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
        (tmp_path / name).write_bytes(start + bytes(100))
        with pytest.raises(BadInput, match=r"it is an Excel workbook .* Save its sheet as CSV"):
            list(read_campaigns(str(tmp_path / name), SCHEMA))


def test_no_bytes_of_a_binary_file_are_shown(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(bytes(range(256)))
    with pytest.raises(BadInput, match=r"^a\.parquet: it is not a Parquet file \(it holds bytes that are no text\)\."):
        list(read_campaigns(str(tmp_path / "a.parquet"), SCHEMA))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_what_is_decoded_is_measured(tmp_path: Path, name: str) -> None:
    frame = campaigns_frame(2_000)
    frame.to_csv(tmp_path / name, index=False) if name == "a.csv" else frame.to_parquet(tmp_path / name, index=False)
    assert sum(map(len, read_campaigns(str(tmp_path / name), SCHEMA, most_bytes=1_000_000))) == 2_000
    with pytest.raises(BadInput, match=r"it is longer than 50,000 bytes"):
        list(read_campaigns(str(tmp_path / name), SCHEMA, most_bytes=50_000))
