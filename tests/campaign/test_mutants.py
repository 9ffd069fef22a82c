import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from campaign import synthetic

ROOT = Path(__file__).parents[2]


@pytest.mark.outer
@pytest.mark.parametrize(("name", "count"), [("a.parquet", 1_000), ("a.csv", 300), ("a.csv.gz", 300)])
def test_damaged_files_are_read_or_refused_by_name_within_a_limit_of_memory(
    tmp_path: Path, name: str, count: int
) -> None:
    table, path = pa.Table.from_batches(synthetic.campaigns(300)), tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(table, path, row_group_size=100)
    else:
        with pa.CompressedOutputStream(str(path), "gzip") if name.endswith(".gz") else path.open("wb") as file:
            pacsv.write_csv(table, file)
    command = [sys.executable, "-m", "tests.campaign.mutants", str(path), str(count)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert 0 < int(ended.stdout) < count  # were refused
