"""What the benchmarks work on: campaigns from the generator, and a champion trained on 100,000 of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import ROOT
from campaign.schema import ID, LABEL
from campaign.synthetic import campaigns

DAY = date(2026, 11, 22)
CAMPAIGN = Path(sys.executable).with_name("campaign")
TRAINING_ROWS, TRIALS = 100_000, 30


@contextmanager
def open_folder(path: Path | None) -> Iterator[Path]:
    """The folder at this path, or without a path a temporary folder for the block."""
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
        yield path.absolute()
        return
    with TemporaryDirectory(prefix="campaign-bench-") as folder:
        yield Path(folder)


def make_campaigns_file(folder: Path, rows: int) -> Path:
    """A Parquet file of this many generated campaigns with their label, written unless it exists."""
    path = folder / f"campaigns-{rows}.parquet"
    if not path.exists():
        partial = path.with_suffix(".partial")
        _write(partial, rows, None)
        partial.rename(path)
    return path


def make_day(folder: Path, rows: int) -> str:
    """The URI of a store that holds one day of this many campaigns, and no outcomes yet."""
    store = folder / f"store-{rows}"
    target = store / f"incoming/day={DAY}/campaigns.parquet"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(make_campaigns_file(folder, rows), target)
    return store.as_uri()


def write_outcomes(folder: Path, rows: int) -> None:
    """Write the outcomes of that day's campaigns."""
    target = folder / f"store-{rows}/outcomes/day={DAY}/outcomes.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, rows, [ID, LABEL])


def _write(path: Path, rows: int, columns: list[str] | None) -> None:
    writer = None
    for batch in campaigns(rows):
        # Categories as plain text, as others write them.
        plain = pa.record_batch({
            name: batch[name].cast(pa.string()) if pa.types.is_dictionary(batch[name].type) else batch[name]
            for name in batch.schema.names
        })  # fmt: skip
        selected = plain.select(columns) if columns else plain
        writer = writer or pq.ParquetWriter(path, selected.schema, compression="zstd", compression_level=1)
        writer.write_batch(selected)
    assert writer is not None
    writer.close()


def make_home(folder: Path, rows: int = TRAINING_ROWS, trials: int = TRIALS) -> dict[str, str]:
    """The environment of an embedded home with a champion, which is trained if there is none yet."""
    # The allocator is the one that flows/environment.py sets: every contender has it, the rivals too.
    environment = {"CAMPAIGN_HOME": str(folder / "home"), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    if not (folder / "home" / "mlflow.db").exists():
        print(f"training the champion on {rows:,} campaigns …", file=sys.stderr)
        command = [str(CAMPAIGN), "train", str(make_campaigns_file(folder, rows)), "--trials", str(trials)]
        subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, capture_output=True)
    return environment
