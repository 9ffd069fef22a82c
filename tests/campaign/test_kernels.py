"""Machine code is compiled once, wherever the project runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from campaign.kernels import cache_folder

SCORE = """
import os
if "read-only" in sys.argv:
    writable = os.access
    os.access = lambda path, mode: mode != os.W_OK and writable(path, mode)  # root may write anywhere
import numpy as np
from campaign.forest import Forest
from campaign.kernels import compiled
from campaign.walk import walk_trees
stump = Forest(
    feature=np.array([0, -1, -1], np.int16), threshold=np.array([.5, 0, 0], np.float32),
    left=np.array([1, 0, 0], np.int32), shares=np.array([[0, 0], [1, 0], [0, 1]], np.float64),
    roots=np.zeros(1, np.int32), heights=np.ones(1, np.int32), depths=np.ones(1, np.float32), n_features=1,
)
assert stump.predict(np.array([[0.1], [0.9]], np.float32)).tolist() == [0, 1]
print(sum(compiled(walk_trees).stats.cache_hits.values()))
"""


@pytest.fixture(autouse=True)
def empty_cache():
    cache_folder.cache_clear()
    yield
    cache_folder.cache_clear()


@pytest.mark.outer
def test_what_one_process_compiled_another_takes_from_a_folder_it_cannot_write_to(tmp_path: Path) -> None:
    hits = []
    for mode in ("compiling", "read-only"):
        ended = subprocess.run(
            [sys.executable, "-c", f"import sys{SCORE}", mode],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        hits.append(int(ended.stdout))
    assert hits == [0, 1]


def test_code_in_a_folder_that_cannot_be_written_to_is_used_from_a_copy(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "loop.nbi").write_text("compiled")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    copy = Path(cache_folder(str(tmp_path)))
    assert copy != tmp_path
    assert (copy / "loop.nbi").read_text() == "compiled"
    assert cache_folder(str(tmp_path)) == str(copy)


def test_a_folder_that_can_be_written_to_is_used_itself(tmp_path: Path) -> None:
    assert cache_folder(str(tmp_path)) == str(tmp_path)


def test_no_folder_means_one_in_the_projects_home(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAMPAIGN_HOME", str(tmp_path))
    assert cache_folder("") == str(tmp_path / "cache" / "numba")
