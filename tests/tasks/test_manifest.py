import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign import synthetic
from campaign.encoding import Encoder
from campaign.errors import BadInput, StoreError
from campaign.model import ScoringModel
from campaign.store import Store
from tasks.manifest import FOLDERS, Manifest, Part, Rows, manifest_path, read_manifest, read_part
from tasks.scoring.score import input_files, usable_manifest
from tasks.scoring.scored_pieces import score_inputs, score_piece
from tests.published import FEATURES, KNOWN_CATEGORIES, SCHEMA

DAY = date(2026, 11, 22)
COUNT = st.integers(0, 2**53)
NAMES = st.text("ab é?%#.", min_size=1).filter(lambda name: name != "..")
PATHS = st.builds("predictions/day={}/{}".format, st.dates(), NAMES)
PARTS = st.lists(st.builds(Part, PATHS, st.text(), COUNT, COUNT, st.text()), max_size=3)
NAMED = st.dictionaries(st.text(), COUNT, max_size=3)
ROWS = st.builds(Rows, COUNT, COUNT, COUNT)
DAYS = st.dates().map(str)
MANIFESTS = st.builds(
    Manifest, DAYS, st.text(), st.text(), PARTS, PARTS, PARTS, ROWS, st.text(), COUNT, NAMED, NAMED, COUNT
)


def at(store: Store, manifest: Manifest) -> Manifest:
    """The manifest with its paths as URIs of a store."""
    parts = {name: [replace(part, uri=store.at(part.uri)) for part in getattr(manifest, name)] for name in FOLDERS}
    return replace(manifest, **parts)


@given(MANIFESTS, st.booleans())
def test_what_was_published_is_read_back_also_where_the_store_has_moved_to(manifest, is_of_before):
    with TemporaryDirectory() as folder:
        before, now = (Store(Path(folder, name).as_uri()) for name in ("é ?", "b%20c d"))
        path = manifest_path(manifest.day)
        if is_of_before:  # manifests had absolute URIs
            before.publish(path, json.dumps(asdict(at(before, manifest))).encode())
        else:
            at(before, manifest).publish(before)
        assert read_manifest(before, manifest.day) == at(before, manifest)
        now.publish(path, before.read(path))
        assert read_manifest(now, manifest.day) == at(now, manifest)


def test_a_day_that_nobody_scored_has_none(tmp_path):
    assert read_manifest(Store(tmp_path.as_uri()), DAY) is None


def test_a_store_that_is_away_does_not_look_like_a_day_that_nobody_scored(tmp_path, monkeypatch):
    def away(path: str) -> bytes:
        raise StoreError("The store is away.", "Wait.")

    store = Store(tmp_path.as_uri())
    monkeypatch.setattr(store, "read", away)
    with pytest.raises(StoreError):
        read_manifest(store, DAY)


def test_a_quarantined_row_is_no_failure():
    manifest = Manifest(str(DAY), "m", "1", [], [], [], Rows(read=10, scored=8, quarantined=2), "", predicted_success=5)
    assert manifest.failed == 3


@pytest.mark.parametrize(
    "uri",
    ["/etc/passwd", "../elsewhere/part.parquet", "predictions/day=2026-11-22/../../../part.parquet",
     "file:///etc/passwd", "s3://another/part.parquet", "file:///x/predictions/day=2026-11-22/%2e%2e/%2e%2e/part"],
)  # fmt: skip
def test_a_manifest_that_names_a_file_outside_the_store_is_none(tmp_path, uri):
    store = Store(tmp_path.as_uri())
    part = Part("predictions/day=2026-11-22/part.parquet", "", 1)
    Manifest(str(DAY), "m", "1", [], [replace(part, uri=store.at(part.uri))], [], Rows(1, 1, 0), "", 0).publish(store)
    written = store.read(manifest_path(DAY)).decode()
    assert read_manifest(store, DAY).parts
    store.publish(manifest_path(DAY), written.replace(part.uri, uri).encode())
    with pytest.raises(BadInput, match=r"manifest\.json: it is no manifest .*is not in the store.*campaign score"):
        read_manifest(store, DAY)
    assert usable_manifest(store, DAY) is None


@pytest.mark.parametrize("written", [b"", b"{", b"[]", b'{"day": "2026-11-22"}', b'{"inputs": 3}'])
def test_a_manifest_that_is_damaged_is_said_and_its_day_scored_again(tmp_path, written):
    store = Store(tmp_path.as_uri())
    store.publish(manifest_path(DAY), written)
    with pytest.raises(BadInput, match="it is no manifest"):
        read_manifest(store, DAY)
    assert usable_manifest(store, DAY) is None


def test_a_part_that_is_another_than_was_written_is_not_used(tmp_path):
    store = Store(tmp_path.as_uri())
    published = store.publish("predictions/day=2026-11-22/part.parquet", b"as it was")
    part = Part(published.uri, published.sha256, 1)
    assert read_part(part, DAY).read() == b"as it was"
    store.publish("predictions/day=2026-11-22/part.parquet", b"as it is now")
    with pytest.raises(BadInput, match=r"part\.parquet: it is not what the manifest of 2026-11-22 lists\. Score"):
        read_part(part, DAY)


class Coin:
    """Stands in for a forest."""

    def predict(self, X: np.ndarray, threads: int = 1) -> np.ndarray:
        return np.full(len(X), 0.7)


def test_the_manifest_is_written_last_and_lists_all_that_was_written(tmp_path, monkeypatch):
    store = Store(tmp_path.as_uri())
    for number in range(2):
        table = pa.Table.from_batches(synthetic.campaigns(200, number, prefix=f"{number}_", flaws=0.2))
        with store.writing(f"incoming/day={DAY}/{number}.parquet") as sink:
            pq.write_table(table, sink)
    written: list[str] = []
    writing = store.writing

    def noted(path):
        written.append(path)
        return writing(path)

    monkeypatch.setattr(store, "writing", noted)
    encoder = Encoder.fit(FEATURES, KNOWN_CATEGORIES)
    model = ScoringModel("model", "1", SCHEMA, encoder, Coin())
    pieces = lambda pieces: [score_piece(store, piece, model) for piece in pieces]  # noqa: E731
    manifest = score_inputs(store, DAY, input_files(store, DAY), model, pieces)
    assert written[-1] == manifest_path(DAY)
    listed = {store.path_of(part.uri) for part in [*manifest.parts, *manifest.quarantine]}
    assert listed == {*written[:-1]}
    assert len(listed) == 2
    assert manifest.rows.scored == manifest.predicted_success == sum(part.rows for part in manifest.parts)
