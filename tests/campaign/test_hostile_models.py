"""Model files that somebody changed: refused or harmless, each time."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from campaign.ensemble import Ensemble
from campaign.errors import ModelMismatch
from campaign.forest import DTYPES, Forest
from campaign.linear import Linear

FEATURES = 5
RNG = np.random.default_rng(1)
ROWS = RNG.random((300, FEATURES)).astype(np.float32)
FOREST = Forest.from_sklearn(RandomForestClassifier(3, max_depth=5, random_state=1).fit(ROWS, ROWS[:, 0] > 0.5))
BACKGROUND = ROWS[:8]


def linear() -> Linear:
    zeros = np.zeros(FEATURES)
    return Linear(
        np.arange(FEATURES + 1, dtype="i4"), zeros, np.zeros(FEATURES + 1, "i4"), np.empty(0, "f4"), zeros + 1, zeros,
        zeros + 1, zeros, np.zeros(1),
    )  # fmt: skip


def is_harmless(predictor) -> None:
    """Every row gets a probability, and an explanation that is no larger."""
    probability = predictor.predict(ROWS)
    assert ((probability >= 0) & (probability <= 1 + 1e-5)).all()
    assert np.abs(predictor.contributions(ROWS[0], BACKGROUND)).max() <= 2


VALUES = st.one_of(
    st.integers(-3, 200), st.sampled_from([-(2**31), 2**31 - 1, 2**15 - 1]), st.floats(width=32), st.just(float("nan"))
)
CHANGES = st.lists(st.tuples(st.sampled_from(sorted(DTYPES)), st.integers(0, 10**6), VALUES), min_size=1, max_size=4)


@given(CHANGES)
@settings(max_examples=400, deadline=None)
def test_a_forest_whose_arrays_were_changed(changes):
    arrays = {name: getattr(FOREST, name).copy() for name in DTYPES}
    for name, at, value in changes:
        flat = arrays[name].reshape(-1)
        with np.errstate(all="ignore"):
            flat[at % flat.size] = np.array(value, "f8").astype(flat.dtype)
    try:
        forest = Forest(n_features=FEATURES, **arrays)
    except ValueError:
        return
    is_harmless(forest)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_whose_bytes_were_changed(tmp_path, changes):
    path = tmp_path / "ensemble.npz"
    forest = Forest(n_features=FEATURES + 1, **{name: getattr(FOREST, name) for name in DTYPES})
    Ensemble(linear(), forest).save(path)
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    path.write_bytes(content)
    try:
        ensemble = Ensemble.load(path)
    except ModelMismatch:
        return
    is_harmless(ensemble)


def test_a_tree_that_says_to_be_lower_than_it_is_is_refused():
    """Explaining a row takes room for so many steps."""
    arrays = {name: getattr(FOREST, name) for name in DTYPES} | {"heights": np.zeros(FOREST.size, "i4")}
    with pytest.raises(ValueError, match="not as high as it says"):
        Forest(n_features=FEATURES, **arrays)


def test_a_node_that_two_paths_lead_to_is_refused():
    """So few nodes would be walked for ever."""
    arrays = {name: getattr(FOREST, name).copy() for name in DTYPES}
    inner = np.flatnonzero(FOREST.feature >= 0)[:2]
    arrays["left"][inner[0]] = arrays["left"][inner[1]]
    with pytest.raises(ValueError, match="no parent, or several"):
        Forest(n_features=FEATURES, **arrays)


@pytest.mark.outer
def test_an_archive_that_inflates_without_end_is_refused_before_it_is_inflated(tmp_path: Path):
    path = tmp_path / "forest.npz"
    FOREST.save(path)
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(1 << 20, "u1"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(1_100):
            archive.writestr(f"more-{number}.npy", zeros.getvalue())
    assert path.stat().st_size < 4 << 20
    with pytest.raises(ModelMismatch, match="it inflates to"):
        Forest.load(path)
