"""Score one file of campaigns: `python predict.py FILE_OR_URI [--out URI]`.

In a container: `docker run --rm -v "$PWD:/work" campaign-batch FILE_OR_URI [--out URI]`.
"""

import argparse
import http.client
import os
import shutil
import signal
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.append(str(Path(__file__).resolve().parents[2]))

from campaign.errors import BadInput, CampaignError, StoreError
from campaign.identity import SeenIds
from campaign.model import PREDICTIONS, WRITTEN, ScoringModel
from campaign.reading import Batch, read_campaigns
from campaign.store import Store, filesystem_of
from deployments.champion import load_champion

TIMEOUT = 60  # seconds without a byte


@dataclass
class Tally:
    """What was counted while a file was streamed. `unknown`: rows with a category that training never saw."""

    successful: int = 0
    unsuccessful: int = 0
    quarantined: int = 0
    unknown: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Print the totals; what a user can mend ends in two sentences and exit code 1."""
    # A container's first process ignores SIGTERM unless it says otherwise; so what is half-written is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    given = arguments()
    try:
        model = load_champion()
        out = place_for(given.source, given.out)
        with readable(given.source) as uri:
            tally = score(uri, out, model)
    except CampaignError as error:
        sys.exit(f"{error.cause}\n{error.remedy}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    print(f"Total successful campaigns: {tally.successful}")
    print(f"Total unsuccessful campaigns: {tally.unsuccessful}")
    if tally.quarantined:
        print(f"Quarantined rows: {tally.quarantined}, with their reasons in {quarantine_of(out)}")
    if tally.unknown:
        counts = ", ".join(f"{name} {rows}" for name, rows in tally.unknown.items())
        print(f"Rows with a category that training never saw: {counts}")
    print(f"Predictions of version {model.version} of {model.name}: {out}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="predict.py",
        description="Score the campaigns of a Parquet or CSV file, and count those that will succeed.",
        epilog="The champion comes from MLflow when MLFLOW_TRACKING_URI is set, else from the folder CAMPAIGN_BUNDLE.",
    )
    parser.add_argument("source", metavar="FILE_OR_URI", help="a path, http(s)://, or s3://")
    where = "a .parquet file or a folder/, at a path or s3:// (default: NAME-predictions.parquet in the working folder)"
    parser.add_argument("--out", metavar="URI", help=where)
    return parser.parse_args()


def score(uri: str, out: str, model: ScoringModel) -> Tally:
    """Stream a file into predictions, and its bad rows, if it has any, into a file beside them.

    Both appear whole, at the end, or not at all.
    """
    tally, quarantine = Tally(), quarantine_of(out)
    try:
        with ExitStack() as stack:
            writer = stack.enter_context(writing(out, PREDICTIONS, **WRITTEN))
            rejected = None
            for batch in reading(uri, model):
                writer.write_batch(predict(batch, model, tally))
                if batch.reasons:
                    bad = batch.rejected()
                    rejected = rejected or stack.enter_context(writing(quarantine, bad.schema, compression="zstd"))
                    rejected.write_table(bad)
                    tally.quarantined += len(bad)
        if rejected is None:
            store, name = placed(quarantine)
            store.delete(name)  # an earlier run's, about rows that are no longer there
    except StoreError as error:
        raise StoreError(
            error.cause,
            "Say with --out where there is space and leave to write; a container needs a folder mounted there, and the "
            'user that owns it: docker run -v "$PWD:/work" --user "$(id -u)" …',
        ) from error
    return tally


def predict(batch: Batch, model: ScoringModel, tally: Tally) -> pa.RecordBatch:
    """The good rows of a batch as predictions."""
    predicted, unknown = model.predict(batch, threads=os.cpu_count() or 1)
    successful = int(predicted["success"].to_numpy().sum())
    tally.successful += successful
    tally.unsuccessful += len(predicted) - successful
    tally.unknown += Counter(unknown)
    return predicted


def reading(uri: str, model: ScoringModel) -> Iterator[Batch]:
    try:
        yield from read_campaigns(uri, model.encoder.features, SeenIds())
    except StoreError as error:
        remedy = "Check the address and leave to read it (for S3: AWS_ENDPOINT_URL and the keys), then run again."
        raise BadInput(error.cause, remedy) from error


@contextmanager
def writing(uri: str, schema: pa.Schema, **options: Any) -> Iterator[Any]:
    store, name = placed(uri)
    with store.writing(name) as sink, pq.ParquetWriter(sink, schema, **options) as writer:
        yield writer


def placed(uri: str) -> tuple[Store, str]:
    folder, _, name = uri.rpartition("/")
    return Store(folder or "/"), name


def place_for(source: str, out: str | None) -> str:
    """Where predictions go: `--out`, a file or a folder; else a file named after the input, in the working folder."""
    name = PurePosixPath(name_in(source)).name
    for suffix in (".gz", ".csv", ".parquet"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    uri = out or "./"
    if "://" not in uri:
        folder = uri.endswith("/") or Path(uri).is_dir()
        uri = f"{Path(uri).absolute()}{'/' if folder else ''}"
    if uri.endswith("/"):
        uri += f"{name or 'campaigns'}-predictions.parquet"
    if not uri.endswith(".parquet"):
        raise BadInput(f"--out is {out}, but predictions are Parquet.", "Name a file .parquet, or a folder with a /.")
    _, path = filesystem_of(uri)
    if "/" not in path:
        raise BadInput(f"--out is {out}, which names no file in a bucket.", "Write it as s3://bucket/name.parquet.")
    if not is_web(source) and filesystem_of(source)[1] == path:
        raise BadInput(f"--out is {out}, which is the input itself.", "Name another file.")
    return uri


def quarantine_of(out: str) -> str:
    return f"{out.removesuffix('.parquet')}-quarantine.parquet"


def is_web(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def name_in(source: str) -> str:
    return unquote(urlsplit(source).path) if is_web(source) else source


@contextmanager
def readable(source: str) -> Iterator[str]:
    """A path or URI that Arrow can open: what is on the web is downloaded for the time of the block."""
    if not is_web(source):
        yield source
        return
    with TemporaryDirectory(prefix="campaign-") as folder:
        yield str(download(source, Path(folder)))


def download(url: str, folder: Path) -> Path:
    """The file under its own name. Raises `BadInput` when it does not come, or does not come whole."""
    shown = urlunsplit(urlsplit(url)._replace(query="", fragment=""))  # a signature would be a secret
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            name = PurePosixPath(name_in(url)).name or "campaigns"
            if answer.headers.get_content_type() == "text/csv" and not name.lower().endswith((".csv", ".csv.gz")):
                name += ".csv"
            target = folder / name
            with target.open("wb") as file:
                shutil.copyfileobj(answer, file, 1 << 20)
            promised = answer.headers.get("Content-Length")
    except (OSError, ValueError, http.client.HTTPException) as error:  # a timeout and a bad certificate are OSErrors
        why = f"{error.code} {error.reason}" if isinstance(error, HTTPError) else getattr(error, "reason", error)
        raise BadInput(
            f"{shown}: it cannot be downloaded ({why}).", "Check the address, or download it by hand."
        ) from error
    # Python takes a connection that ends early for the end of the file; half a CSV would pass for a whole one.
    if promised is not None and target.stat().st_size != int(promised):
        cause = f"{shown}: the download ended after {target.stat().st_size} of {promised} bytes."
        raise BadInput(cause, "Run again, or download it by hand.")
    return target


if __name__ == "__main__":
    main()
