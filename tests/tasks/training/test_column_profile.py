import pyarrow as pa
import pytest

from tasks.training.column_profile import profile_column
from tasks.training.propose_schema import WAYS


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("goal", ["1", "2.5", "3"], "number"),
        ("goal", ["1.234,50 €", "12 €", "7,5 €"], "number"),
        ("goal", [1, 2, 3], "number"),
        ("launched", ["2026-11-22", "2026-11-23"], "time"),
        ("launched", ["22.11.2026", "23.11.2026"], "time"),
        ("launched_at", ["1439294400", "1439294500"], "time"),
        ("backers", ["1439294400", "1439294500"], "number"),
        ("video", [True, False], "category"),
        ("category", ["Art", "Film"] * 40, "category"),
        ("title", [f"A title {at}" for at in range(80)], "text"),
        ("platform", ["ours"] * 5, "constant"),
        ("nothing", ["", "NA", None], "empty"),
        ("tags", [["a"], ["b"]], "unreadable"),
    ],
)
def test_a_column_is_what_nearly_all_of_its_values_are(name: str, values: list[object], kind: str) -> None:
    assert profile_column(name, pa.array(values), WAYS).kind == kind


def test_one_slip_makes_no_number_a_text() -> None:
    profile = profile_column("goal", pa.array([*map(str, range(99)), "many"]), WAYS)
    assert (profile.kind, profile.missing) == ("number", 1)


def test_how_it_is_written_is_found() -> None:
    profile = profile_column("goal", pa.array(["1.234,50", "12,25"] * 9), WAYS)
    assert profile.text.decimal == ","
    assert profile.numbers[:2].tolist() == [1234.5, 12.25]
    assert profile_column("day", pa.array(["11/22/2026", "01/02/2026"]), WAYS).text.date_order == "MDY"


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (["US", "GB", "DE", "NA"] * 9, 0),  # Namibia
        (["US", "GB", "DE", "FR", "x", "NA"] * 9, 9),  # one in five is no code
        (["US", "GB", "DE", "FR", "IT", "x", "NA"] * 9, 0),
        (["US", "GB", "NA"] * 9, 9),  # two words may be anything
        (["yes", "no", "maybe", "NA"] * 9, 9),
        (["US", "GB", "DE", "unknown", "NA"] * 9, 18),
        (["US", "GB", "DE", "unknown"] * 9, 9),
    ],
)
def test_na_is_a_country_among_codes_of_countries_and_a_missing_value_elsewhere(
    values: list[str], missing: int
) -> None:
    profile = profile_column("country", pa.array(values), WAYS)
    assert (profile.kind, profile.missing) == ("category", missing)
