import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OrdinalEncoder

from campaign import synthetic
from campaign.batch import Batch
from campaign.encoding import MISSING_CATEGORY, UNKNOWN_CATEGORY, Encoder
from tests.published import CATEGORIES, FEATURES, KNOWN_CATEGORIES, NUMBERS, SCHEMAS

KNOWN = KNOWN_CATEGORIES
ROWS = 8
OTHERS = ["Podcast", "podcast", "none", "ß"]


def batch_of(numbers: dict[str, Any], categories: dict[str, list[str | None]]) -> Batch:
    rows = len(next(iter(numbers.values())))
    coded = {name: pa.array(values, pa.string()).dictionary_encode() for name, values in categories.items()}
    ids = pa.array([str(row) for row in range(rows)])
    return Batch("a.parquet", 0, pa.RecordBatch.from_arrays([ids], ["CampaignID"]), ids, numbers, coded, None)


def published_rows(rows: int) -> tuple[pd.DataFrame, Batch]:
    frame = pa.Table.from_batches(synthetic.campaigns(rows)).to_pandas()
    numbers = {name: frame[name].to_numpy(np.float64) for name in NUMBERS}
    return frame, batch_of(numbers, {name: frame[name].tolist() for name in CATEGORIES})


def in_any_case(values: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    cases = st.sampled_from([str, str.lower, str.upper])
    return st.none() | st.builds(lambda value, case: case(value), st.sampled_from([*values, *OTHERS]), cases)


@settings(deadline=None, max_examples=60)
@given(
    seen=st.fixed_dictionaries({name: st.sets(st.sampled_from([*KNOWN[name], *OTHERS])) for name in CATEGORIES}),
    categories=st.fixed_dictionaries(
        {name: st.lists(in_any_case(KNOWN[name]), min_size=ROWS, max_size=ROWS) for name in CATEGORIES}
    ),
    numbers=st.fixed_dictionaries({name: st.lists(st.floats(), min_size=ROWS, max_size=ROWS) for name in NUMBERS}),
    feature_set=st.sampled_from(["published", "launch"]),
)
def test_the_matrix_is_that_of_scikit_learns_ordinal_encoder_row_by_row(
    seen: Any, categories: Any, numbers: Any, feature_set: str
) -> None:
    encoder = Encoder.fit(SCHEMAS[feature_set].features, seen)
    batch = batch_of({name: np.array(values) for name, values in numbers.items()}, categories)
    columns = []
    for column in SCHEMAS[feature_set].features:
        if not column.is_category:
            with np.errstate(over="ignore"):
                columns.append(np.array(numbers[column.name]).astype(np.float32))
        elif not encoder.categories[column.name]:
            missing = np.array([value is None for value in categories[column.name]])
            columns.append(np.where(missing, MISSING_CATEGORY, UNKNOWN_CATEGORY))
        else:
            lower = [value.casefold() for value in encoder.categories[column.name]]
            reference = OrdinalEncoder(
                categories=[lower], handle_unknown="use_encoded_value", unknown_value=UNKNOWN_CATEGORY
            )
            values = [[(value if value is not None else "<missing>").casefold()] for value in categories[column.name]]
            codes = reference.fit(pd.DataFrame(lower)).transform(pd.DataFrame(values))[:, 0]
            missing = np.array([value is None for value in categories[column.name]])
            columns.append(np.where(missing, MISSING_CATEGORY, codes))
    np.testing.assert_array_equal(encoder.encode(batch), np.column_stack(columns).astype(np.float32))


def test_the_matrix_is_laid_out_as_the_forest_walks_it() -> None:
    matrix = Encoder.fit(FEATURES, KNOWN).encode(published_rows(10)[1])
    assert matrix.dtype == np.float32
    assert matrix.flags.f_contiguous
    assert matrix.shape == (10, len(FEATURES))


def test_codes_follow_the_order_that_is_given() -> None:
    encoder = Encoder.fit(FEATURES, KNOWN | {"Category": iter(["Music", "Zines", "Art", "Blogs", "Film"])})
    assert encoder.categories["Category"] == ("Music", "Zines", "Art", "Blogs", "Film")
    assert encoder.categories["LaunchMonth"][:2] == ("January", "February")


def test_two_spellings_of_a_category_are_one_as_the_schema_has_it() -> None:
    encoder = Encoder.fit(FEATURES, KNOWN | {"Category": ["podcast", "Podcast", "film", "FILM"]})
    assert encoder.categories["Category"] == ("podcast", "Film")


def test_a_slice_of_a_batch_is_encoded_like_its_rows() -> None:
    frame, batch = published_rows(50)
    encoder = Encoder.fit(FEATURES, KNOWN)
    for name in CATEGORIES:
        values = batch.categories[name]
        np.testing.assert_array_equal(encoder.codes(name, values.slice(7, 20)), encoder.codes(name, values)[7:27])
        assert [KNOWN[name][int(code)] for code in encoder.codes(name, values)] == frame[name].tolist()


def test_a_category_of_later_is_unknown_and_counted() -> None:
    _, batch = published_rows(50)
    matrix = Encoder.fit(FEATURES, KNOWN | {"Country": ["UK"], "Currency": []}).encode(batch)
    unknown = Encoder.fit(FEATURES, KNOWN | {"Country": ["UK"], "Currency": []}).count_unknown(matrix)
    elsewhere = sum(value != "UK" for value in batch.categories["Country"].to_pylist())
    assert unknown == dict.fromkeys(CATEGORIES, 0) | {"Country": elsewhere, "Currency": 50}


def test_an_empty_batch_is_an_empty_matrix() -> None:
    batch = batch_of(dict.fromkeys(NUMBERS, np.empty(0)), {name: [] for name in CATEGORIES})
    assert Encoder.fit(FEATURES, KNOWN).encode(batch).shape == (0, len(FEATURES))


@pytest.mark.parametrize("feature_set", ["published", "launch"])
def test_an_encoder_survives_being_stored(feature_set: str) -> None:
    encoder = Encoder.fit(SCHEMAS[feature_set].features, KNOWN | {"Category": ["Film", "Ünïcode"]})
    assert Encoder.from_json(encoder.features, json.loads(json.dumps(encoder.to_json()))) == encoder


@pytest.mark.parametrize(("span", "is_there"), [([0, 2], True), ([1, 2], True), ([2, 2], False), ([-1, 2], False)])
def test_rare_categories_are_a_span_of_those_that_are_there(span: list[int], is_there: bool) -> None:
    stored = {"categories": {"Category": ["Art", "Film", "Games"]}, "rare": {"Category": span}}
    if is_there:
        assert Encoder.from_json(FEATURES, stored).rare == {"Category": tuple(span)}
    else:
        with pytest.raises(ValueError, match=f"2 rare categories of Category from the place {span[0]} on"):
            Encoder.from_json(FEATURES, stored)
