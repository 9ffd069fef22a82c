"""Score one file of campaigns: `python predict.py FILE_OR_URI [--out URI]`.

In a container: `docker run --rm -v "$PWD:/work" campaign-batch FILE_OR_URI [--out URI]`.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from pyarrow.fs import LocalFileSystem

sys.path.append(str(Path(__file__).resolve().parents[2]))

from campaign.batch import Batch
from campaign.download import download, is_web, name_in
from campaign.errors import BadInput, CampaignError, StoreError
from campaign.files import PARQUET_NAMES, TEXT_NAMES
from campaign.identity import SeenIds
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.scoring import ScoredRows, score_batches
from campaign.store import Store, filesystem_of
from deployments.champion import load_champion


def main() -> None:
    """Print the totals; what a user can mend ends in two sentences and exit code 1."""
    # A container's first process ignores SIGTERM unless it says otherwise; so what is half-written is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    given = arguments()
    try:
        model = load_champion()
        out = place_for(given.source, given.out)
        with readable(given.source) as uri:
            rows = score(uri, out, model)
    except CampaignError as error:
        sys.exit(f"{error.cause}\n{error.remedy}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    print(f"Total successful campaigns: {rows.successful}")
    print(f"Total unsuccessful campaigns: {rows.scored - rows.successful}")
    if rows.written:
        print(f"The file is read as {rows.written}")
    if rows.quarantined:
        print(f"Quarantined rows: {rows.quarantined}, with their reasons in {quarantine_of(out)}")
    if unknown := +rows.unknown:
        counts = ", ".join(f"{name} {count}" for name, count in unknown.items())
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


def score(uri: str, out: str, model: ScoringModel) -> ScoredRows:
    """Stream a file into predictions, and its bad rows, if it has any, into a file beside them."""
    folder, _, name = out.rpartition("/")
    store, quarantine = Store(folder or "/"), quarantine_of(name)
    try:
        rows = score_batches(batches_of(uri, model), model, store, name, quarantine, threads=os.cpu_count() or 1)
        if not rows.quarantined:
            store.delete(quarantine)  # an earlier run's, about rows that are no longer there
    except StoreError as error:
        raise StoreError(
            error.cause,
            "Say with --out where there is space and leave to write; a container needs a folder mounted there, and the "
            'user that owns it: docker run -v "$PWD:/work" --user "$(id -u)" …',
        ) from error
    return rows


def batches_of(uri: str, model: ScoringModel) -> Iterator[Batch]:
    try:
        yield from read_campaigns(uri, model.schema, seen=SeenIds())
    except StoreError as error:
        remedy = "Check the address and leave to read it (for S3: AWS_ENDPOINT_URL and the keys), then run again."
        raise BadInput(error.cause, remedy) from error


def place_for(source: str, out: str | None) -> str:
    """Where predictions go: `--out`, a file or a folder; else a file named after the input, in the working folder."""
    name = name_in(source) if is_web(source) else PurePosixPath(source).name
    for suffix in (".gz", ".zip", *TEXT_NAMES, *PARQUET_NAMES):
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
    if not is_web(source) and is_same_file(source, uri):
        raise BadInput(f"--out is {out}, which is the input itself.", "Name another file.")
    return uri


def is_same_file(one: str, other: str) -> bool:
    """Whatever the two are called: through `..` or a link, too."""
    places = [filesystem_of(uri) for uri in (one, other)]
    (_, first), (_, second) = places
    if not all(isinstance(filesystem, LocalFileSystem) and Path(path).exists() for filesystem, path in places):
        return first == second
    return Path(first).samefile(second)


def quarantine_of(out: str) -> str:
    return f"{out.removesuffix('.parquet')}-quarantine.parquet"


@contextmanager
def readable(source: str) -> Iterator[str]:
    """A path or URI that Arrow can open: what is on the web is downloaded for the time of the block."""
    if not is_web(source):
        yield source
        return
    with TemporaryDirectory(prefix="campaign-") as folder:
        yield str(download(source, Path(folder)))


if __name__ == "__main__":
    main()
