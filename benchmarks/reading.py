"""Reading a CSV file into batches of its columns, beside pyarrow's own reader: `make bench-reading`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from benchmarks import measure, world
from benchmarks.measure import Target
from benchmarks.scoring import OURS
from campaign.files import raw_batches
from campaign.raw import RawColumns
from campaign.schema_parts import Text

PYARROW = "pyarrow.csv"
SHARE_OF_PYARROW = 0.5


def write_csv(folder: Path, rows: int) -> Path:
    """The same campaigns as the other benchmarks', as CSV."""
    path = folder / f"campaigns-{rows}.csv"
    if not path.exists():
        pacsv.write_csv(pq.read_table(world.make_campaigns_file(folder, rows)), path)
    return path


def read_here(path: Path) -> dict[str, Any]:
    """Every column, each record looked at for quotes that do not close and fields too many."""
    every = RawColumns(lambda names: dict(zip(names, names, strict=True)))
    return {"rows": sum(len(batch.rows) for batch in raw_batches(str(path), path.name, every, 0, None, Text()))}


def read_with_pyarrow(path: Path) -> dict[str, Any]:
    """Every column as text too, in blocks, as a file is read that does not fit into memory."""
    names = pacsv.open_csv(path).schema.names
    as_text = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    blocks = pacsv.ReadOptions(block_size=1 << 22)
    return {"rows": sum(len(batch) for batch in pacsv.open_csv(path, blocks, convert_options=as_text))}


CONTENDERS: dict[str, Callable[[Path], dict[str, Any]]] = {OURS: read_here, PYARROW: read_with_pyarrow}


def main() -> None:
    args = measure.parse_arguments(__doc__, rows=1_000_000, rounds=5)
    if args.contender:
        read = CONTENDERS[args.contender]
        read(write_csv(args.folder, 1_000))
        path = write_csv(args.folder, args.rows)
        measure.report_result(lambda: read(path))
        return
    with world.open_folder(args.folder) as folder:
        for rows in (1_000, args.rows):
            write_csv(folder, rows)
        arguments = ["--folder", str(folder), "--rows", str(args.rows)]
        timed = measure.run_contenders("benchmarks.reading", dict.fromkeys(CONTENDERS, arguments), args.rounds, {})
    if {contender.result["rows"] for contender in timed.values()} != {args.rows}:
        sys.exit("The readers do not see the same rows.")
    share = timed[PYARROW].seconds / timed[OURS].seconds
    targets = [
        Target(
            f"reading a CSV file of {args.rows:,} rows", f"≥ {SHARE_OF_PYARROW:.0%} of the speed of pyarrow's reader",
            f"{share:.0%}", share >= SHARE_OF_PYARROW,
        )
    ]  # fmt: skip
    rows = [
        measure.table_row(contender, rows=args.rows, **{"µs a row": round(contender.seconds / args.rows * 1e6, 3)})
        for contender in timed.values()
    ]
    measure.save_results("reading", targets, {"reading": rows})


if __name__ == "__main__":
    main()
