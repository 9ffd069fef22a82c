import numpy as np
import pytest

from campaign.encoding import MISSING_CATEGORY, UNKNOWN_CATEGORY, Encoder
from tasks.training.rank_categories import rank_categories, recode
from tests.tasks.training.made_up_rows import schema_with

COLUMNS = schema_with({"name": "c", "type": "category"}, {"name": "x", "type": "number"}).features


def ranked(counts: dict[str, tuple[int, int]], weight_of_wins: float = 1.0) -> tuple[Encoder, Encoder, np.ndarray]:
    """Categories with so many rows, of which so many succeeded: the plain encoder, the ranked one, the plain rows."""
    plain = Encoder.fit(COLUMNS, {"c": sorted(counts)})
    codes, labels = [], []
    for code, name in enumerate(sorted(counts)):
        rows, won = counts[name]
        codes += [code] * rows
        labels += [1] * won + [0] * (rows - won)
    X = np.column_stack([codes, np.arange(len(codes))]).astype(np.float32)
    y = np.array(labels, np.int8)
    weight = None if weight_of_wins == 1 else np.where(y, weight_of_wins, 1.0)
    return plain, rank_categories(plain, X, y, weight), X


@pytest.mark.parametrize(
    ("counts", "order"),
    [
        ({"a": (100, 90), "b": (100, 10), "c": (100, 50)}, ("b", "c", "a")),
        ({"a": (1_000, 400), "few": (5, 5), "b": (1_000, 900)}, ("a", "few", "b")),
        ({"b": (40, 20), "a": (40, 20)}, ("a", "b")),
        ({"c": (40, 20), "b": (4, 2), "a": (40, 20)}, ("a", "b", "c")),
        ({"a": (40, 20), "never": (0, 0)}, ("a",)),
    ],
)
def test_categories_stand_in_the_order_of_their_smoothed_success_rate(counts, order):
    assert ranked(counts)[1].categories["c"] == order


def test_rates_are_weighted_like_the_rows():
    """Unweighted .5 against .4; where the successes of few rows count little, the mean decides."""
    counts = {"a": (30, 15), "b": (3_000, 1_200)}
    assert ranked(counts)[1].categories["c"] == ("b", "a")
    plain = Encoder.fit(COLUMNS, {"c": ["a", "b"]})
    X = np.column_stack([[0] * 100 + [1] * 100, np.zeros(200)]).astype(np.float32)
    y = np.array([1] * 60 + [0] * 40 + [1] * 50 + [0] * 50, np.int8)
    weight = np.ones(200)
    weight[:60] = 0.2
    assert rank_categories(plain, X, y, None).categories["c"] == ("b", "a")
    assert rank_categories(plain, X, y, weight).categories["c"] == ("a", "b")


def test_rare_categories_share_one_code_in_the_place_of_their_common_rate():
    _, encoder, _ = ranked({"a": (100, 10), "b": (100, 90), "r": (4, 4), "s": (3, 0), "t": (2, 1)})
    assert encoder.categories["c"] == ("a", "r", "s", "t", "b")
    assert encoder.rare == {"c": (1, 3)}
    assert encoder.code_of_each("c").tolist() == [0, 1, 1, 1, 2]
    assert encoder.codes_by_word("c") == {"a": 0, "r": 1, "s": 1, "t": 1, "b": 2}
    assert Encoder.from_json(COLUMNS, encoder.to_json()) == encoder


def test_one_rare_category_needs_nobody_to_share_with():
    encoder = ranked({"a": (100, 10), "b": (100, 90), "r": (3, 2)})[1]
    assert encoder.rare == {}
    assert "rare" not in encoder.to_json()


def test_the_matrix_of_one_encoder_becomes_that_of_the_other():
    plain, encoder, X = ranked({"a": (100, 90), "b": (100, 10), "r": (4, 0), "s": (4, 4), "z": (0, 0)})
    X = np.concatenate([X, np.array([[4, 1], [UNKNOWN_CATEGORY, 2], [MISSING_CATEGORY, 3]], np.float32)])
    before = X.copy()
    recoded = recode(X, plain, encoder)
    assert (before == X).all()
    assert (recoded[:, 1] == X[:, 1]).all()
    assert recoded[-3:, 0].tolist() == [UNKNOWN_CATEGORY, UNKNOWN_CATEGORY, MISSING_CATEGORY]
    assert recoded[[0, 100, 200, 204], 0].tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize("span", [[-1, 2], [0, 0], [1, 5]])
def test_a_stored_encoder_whose_rare_categories_are_not_there_is_refused(span):
    with pytest.raises(ValueError, match="rare categories of c"):
        Encoder.from_json(COLUMNS, {"categories": {"c": ["a", "b", "d"]}, "rare": {"c": span}})
