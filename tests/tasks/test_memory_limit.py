import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign import synthetic
from tasks import memory_limit
from tasks.memory_limit import container_limit, limit_run

WORKER = {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # as its image has it: the other one reserves a gigabyte
READ = """
import sys
from pathlib import Path
from campaign.errors import BadInput
from campaign.reading import read_campaigns
from campaign.schema_file import published
from tasks import memory_limit

memory_limit.CONTAINER_LIMITS = (Path(sys.argv[1]),)
memory_limit.limit_memory()
for file in sys.argv[2:]:
    try:
        print(sum(map(len, read_campaigns(file, published()))))
    except BadInput as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("written", "expected"), [("1073741824\n", 1 << 30), ("max\n", None), ("9223372036854771712\n", None)]
)
def test_a_container_says_what_it_may_have(tmp_path, monkeypatch, written, expected):
    (tmp_path / "memory.max").write_text(written)
    monkeypatch.setattr(memory_limit, "CONTAINER_LIMITS", (tmp_path / "none", tmp_path / "memory.max"))
    assert container_limit() == expected


@pytest.mark.parametrize(("limit", "bound"), [(4 << 30, 7 << 29), (600 << 20, 512 << 20), (5 << 30, None)])
def test_a_run_may_have_what_the_worker_leaves_of_its_container_and_half_a_gigabyte_at_least(
    tmp_path, monkeypatch, limit, bound
):
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    monkeypatch.setattr(memory_limit, "CONTAINER_LIMITS", (tmp_path / "memory.max",))
    monkeypatch.setattr(memory_limit.resource, "getrlimit", lambda kind: (1 << 32, 1 << 32))  # bounded already
    bounds = []
    monkeypatch.setattr(memory_limit.resource, "setrlimit", lambda kind, given: bounds.append(given))
    memory_limit.limit_memory()
    assert bounds == ([] if bound is None else [(bound, 1 << 32)])


def test_a_run_that_has_no_process_of_its_own_is_not_bounded(monkeypatch):
    monkeypatch.setattr(memory_limit, "limit_memory", lambda: pytest.fail("it is bounded"))
    limit_run(None, SimpleNamespace(deployment_id=None), None)


@pytest.mark.outer
def test_a_file_of_four_gigabytes_in_four_kilobytes_is_refused_by_name_and_the_next_is_read(tmp_path):
    rows = 65_536
    table = pa.Table.from_batches(synthetic.campaigns(rows)).drop_columns("CampaignID")
    pq.write_table(table, tmp_path / "good.parquet")
    said_once = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), ["7" * 62_000])
    swells = table.append_column("CampaignID", said_once)
    pq.write_table(swells, tmp_path / "swells.parquet", compression="zstd", store_schema=False)
    (tmp_path / "limit").write_text(str(1 << 30))
    files = [str(tmp_path / name) for name in ("limit", "swells.parquet", "good.parquet")]
    own = {"PYTHONPATH": str(Path(__file__).parents[2]), "OPENBLAS_NUM_THREADS": "1"} | WORKER
    command = [sys.executable, "-c", READ, *files]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | own, check=True)
    refused, read = ended.stdout.splitlines()
    assert refused.startswith("swells.parquet: it takes more memory than this process may have. ")
    assert read == str(rows)
