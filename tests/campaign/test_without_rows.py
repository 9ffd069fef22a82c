import gzip
import io
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from campaign.reading import read_campaigns
from campaign.without_rows import write_without
from tests.published import SCHEMA

TEXT = """# an export
CampaignID;GoalAmount;note
C1;100;"two
lines"

C2;200;a "quoted" word
C3;300
C4;400;naïve
"""


def packed(name: str, text: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(text.encode())
    if name.endswith(".zip"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("export.csv", text)
        return buffer.getvalue()
    return text.encode("utf-16" if name == "wide.csv" else "cp1252" if name == "western.csv" else "utf-8")


def ids_of(path: Path) -> list[str]:
    return [name for batch in read_campaigns(str(path), SCHEMA, ()) for name in batch.ids.to_pylist()]


@pytest.mark.parametrize(
    "name", ["a.csv", "wide.csv", "western.csv", "a.csv.gz", "a.zip", "windows.csv", "old-mac.csv"]
)
@pytest.mark.parametrize("row", range(4))
def test_every_other_record_of_a_text_stays_as_it_was(tmp_path, name, row):
    text = TEXT.replace("\n", {"windows.csv": "\r\n", "old-mac.csv": "\r"}.get(name, "\n"))
    (tmp_path / name).write_bytes(packed(name, text))
    before = ids_of(tmp_path / name)
    with (tmp_path / f"new-{name}").open("wb") as sink:
        write_without(str(tmp_path / name), SCHEMA, {row}, sink)
    before[row : row + 1] = []
    assert ids_of(tmp_path / f"new-{name}") == before
    if name == "a.csv":
        lines = {0: 'C1;100;"two\nlines"\n', 1: 'C2;200;a "quoted" word\n', 2: "C3;300\n", 3: "C4;400;naïve\n"}
        assert (tmp_path / "new-a.csv").read_text() == TEXT.replace(lines[row], "")


def test_of_json_lines_the_objects_at_these_places_go(tmp_path):
    lines = ['{"CampaignID": "C1"}', "", "no object", '{"CampaignID": "C2"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    with (tmp_path / "b.jsonl").open("wb") as sink:
        write_without(str(tmp_path / "a.jsonl"), SCHEMA, {2}, sink)
    assert (tmp_path / "b.jsonl").read_text().splitlines() == lines[:3]


def test_of_parquet_the_rows_go_from_the_row_group_they_are_in(tmp_path):
    frame = pd.DataFrame({"CampaignID": [f"C{number}" for number in range(10)], "note": range(10)})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=4, index=False)
    with (tmp_path / "b.parquet").open("wb") as sink:
        write_without(str(tmp_path / "a.parquet"), SCHEMA, {0, 5, 9}, sink)
    assert pd.read_parquet(tmp_path / "b.parquet").equals(frame.drop([0, 5, 9]).reset_index(drop=True))
    assert pq.read_metadata(tmp_path / "b.parquet").num_row_groups == 3
