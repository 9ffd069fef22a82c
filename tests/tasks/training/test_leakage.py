import warnings

import numpy as np
import pandas as pd
import pytest

from campaign.schema import LABEL, Column
from tasks.training.leakage import Signal, audit, audit_table, category_auc, find_leaks, find_suspects, rank_auc
from tasks.training.leakage_sentences import leak_sentence, misdeclared_sentences, summarise, suspect_sentence
from tests.published import CATEGORIES, FEATURES, LAUNCH

ROWS = 4_000


@pytest.fixture
def noise(draw_campaigns) -> pd.DataFrame:
    """Campaigns whose label is drawn apart from everything else."""
    campaigns = draw_campaigns(ROWS, seed=7)
    return campaigns.assign(**{LABEL: np.random.default_rng(6).integers(0, 2, ROWS)})


@pytest.fixture
def published(noise: pd.DataFrame) -> pd.DataFrame:
    """Campaigns that succeed exactly when they raise their goal, as in the published data."""
    raised = noise["GoalAmount"] * np.random.default_rng(8).uniform(0.5, 1.5, ROWS)
    return noise.assign(RaisedAmount=raised, **{LABEL: (raised >= noise["GoalAmount"]).astype(int)})


def sentences(signals: list[Signal]) -> list[str]:
    return [leak_sentence(leak) for leak in find_leaks(signals)]


def score_of(signals: list[Signal], feature: str) -> float:
    return next(signal.roc_auc for signal in signals if signal.label == feature)


def test_the_pair_that_is_the_label_is_named_once_with_when_it_is_known(published: pd.DataFrame) -> None:
    assert sentences(audit(published, FEATURES)) == [
        "`RaisedAmount` against `GoalAmount` decides the label by itself (ROC-AUC 1.000 for their ratio and 1.000 for "
        "their difference); `RaisedAmount` is known only at the end."
    ]


def test_noise_has_no_leaks(noise: pd.DataFrame) -> None:
    signals = audit(noise, FEATURES)
    assert sentences(signals) == []
    assert signals[0].roc_auc < 0.55


def test_a_feature_that_is_the_label_is_named_without_its_pairs(noise: pd.DataFrame) -> None:
    # So far apart that less any other feature it still is the label.
    backers = 1e9 - noise[LABEL] * 1e9
    assert sentences(audit(noise.assign(NumBackers=backers), FEATURES)) == [
        "`NumBackers` decides the label by itself (ROC-AUC 1.000); `NumBackers` is known only at the end."
    ]


def test_a_category_that_is_the_label_is_found(noise: pd.DataFrame) -> None:
    signals = audit(noise.assign(Category=np.where(noise[LABEL] == 1, "Film", "Art")), FEATURES)
    assert score_of(signals, "Category") == 1


@pytest.mark.parametrize("distinct", [2, 50, ROWS // 2, ROWS])
def test_a_category_of_noise_tells_nothing_however_many_values_it_has(noise: pd.DataFrame, distinct: int) -> None:
    values = np.random.default_rng(9).permutation(np.arange(ROWS) % distinct).astype(str)
    assert category_auc(pd.Series(values), noise[LABEL].to_numpy() == 1) < 0.54


def test_rows_sorted_by_outcome_hide_nothing(noise: pd.DataFrame) -> None:
    campaigns = noise.assign(Category=np.where(noise[LABEL] == 1, "Film", "Art")).sort_values(LABEL)
    assert score_of(audit(campaigns, FEATURES), "Category") == 1


def test_every_number_every_pair_and_every_category_is_judged_best_first(published: pd.DataFrame) -> None:
    table = audit_table(audit(published, FEATURES))
    assert len(table) == 12 + 2 * 21
    assert set(CATEGORIES) <= set(table["feature"])
    assert table["roc_auc"].is_monotonic_decreasing
    assert table["roc_auc"].between(0.5, 1).all()


@pytest.mark.parametrize(
    ("feature", "known"),
    [
        ("GoalAmount", "at launch"),
        ("DurationDays − GoalAmount", "at launch"),
        ("NumUpdates / GoalAmount", "while running"),
        ("NumUpdates − NumBackers", "at the end"),
    ],
)
def test_a_pair_is_known_when_the_later_of_the_two_is(noise: pd.DataFrame, feature: str, known: str) -> None:
    assert audit_table(audit(noise, FEATURES)).set_index("feature")["known"][feature] == known


def test_division_by_zero_is_the_largest_ratio_and_gives_no_warning(published: pd.DataFrame) -> None:
    campaigns = published.assign(GoalAmount=published["GoalAmount"].where(published.index % 4 > 0, 0))
    for label in (campaigns["RaisedAmount"] >= campaigns["GoalAmount"], campaigns["GoalAmount"] == 0):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            signals = audit(campaigns.assign(**{LABEL: label}), FEATURES)
        assert score_of(signals, "RaisedAmount / GoalAmount") == 1


def test_tied_values_count_half() -> None:
    values, outcome = np.array([0.0, 1.0, 1.0, 2.0] * 10), np.array([False, False, True, True] * 10)
    assert rank_auc(values, outcome) == pytest.approx(0.875)


def test_too_few_values_are_no_finding(noise: pd.DataFrame) -> None:
    updates = noise[LABEL].where(noise.index < 12).astype(float)
    signals = audit(noise.assign(NumUpdates=updates, Country=None, OwnerExperience=np.nan), FEATURES)
    assert np.isnan(score_of(signals, "NumUpdates"))
    assert np.isnan(score_of(signals, "OwnerExperience"))
    assert sentences(signals) == []
    has_value = [signal.has_value for signal in signals]
    assert has_value == sorted(has_value, reverse=True)
    assert "too few campaigns" in summarise(audit(noise.head(15), FEATURES), FEATURES)


def test_the_model_card_says_what_is_known_at_launch_and_what_it_tells(published: pd.DataFrame) -> None:
    rng = np.random.default_rng(10)
    many = published.sample(50_000, replace=True, random_state=1, ignore_index=True)
    raised = many["GoalAmount"] * rng.uniform(0.5, 1.5, len(many))
    many = many.assign(RaisedAmount=raised, **{LABEL: raised >= many["GoalAmount"]})
    text = summarise(audit(many, FEATURES), FEATURES)
    assert "9 are known at launch, 1 only while running (`NumUpdates`) and 2 only at the end" in text
    assert "No feature that is known at launch, alone or compared with another, tells more than chance" in text
    assert "`RaisedAmount / GoalAmount`, has ROC-AUC 1.000" in text


def test_the_launch_feature_set_has_nothing_to_say_about_later(published: pd.DataFrame) -> None:
    launch = LAUNCH.features
    names = [column.name for column in launch]
    restricted = audit(published[[*names, LABEL]], FEATURES)
    assert {signal.known for signal in restricted} == {"at launch"}
    for signals in (restricted, audit(published, FEATURES)):
        text = summarise(signals, launch)
        assert text.startswith("All 9 features are known at launch.")
        assert "RaisedAmount" not in text
        assert "later" not in text


def test_what_tells_much_and_does_not_decide_is_worth_a_look(noise: pd.DataFrame) -> None:
    hint = np.random.default_rng(9).normal(size=ROWS) + 1.5 * noise[LABEL]
    early = FEATURES[0]
    late = next(column for column in FEATURES if column.known != "at launch" and not column.is_category)
    assert early.known == "at launch"
    for column, end in ((early, "say so in the schema"), (late, f"`{late.name}` is known only {late.known}.")):
        [suspect] = find_suspects(audit(noise.assign(**{column.name: hint}), FEATURES))
        assert suspect.names == (column.name,)
        sentence = suspect_sentence(suspect)
        assert sentence.startswith(f"Look at this: `{column.name}` tells much of the label by itself (ROC-AUC 0.8")
        assert end in sentence


def test_noise_and_the_published_data_have_nothing_worth_a_look(noise: pd.DataFrame, published: pd.DataFrame) -> None:
    for campaigns in (noise, published):
        signals = audit(campaigns, FEATURES)
        assert find_suspects(signals) == []
        assert misdeclared_sentences(signals) == []


@pytest.mark.parametrize("name", ["pledged", "usd_pledged", "NumBackers", "clicks", "responses"])
def test_a_column_declared_at_launch_whose_name_says_later_is_doubted(name: str) -> None:
    column = Column(name=name, type="number", known="at launch")
    [sentence] = misdeclared_sentences([Signal((column,), "", 0.6)])
    assert sentence.startswith(f"By its name `{name}` is known later.")
    assert 'known = "at the end"' in sentence
    assert misdeclared_sentences([Signal((column.model_copy(update={"known": "at the end"}),), "", 0.6)]) == []


def test_a_column_declared_at_launch_that_decides_is_doubted() -> None:
    column = Column(name="score", type="number", known="at launch")
    [sentence] = misdeclared_sentences([Signal((column,), "", 0.97)])
    assert "`score` is declared as known at launch" in sentence


FIRST, SECOND = (Column(name=name, type="number", known="at launch") for name in ("first", "second"))


def test_a_ratio_is_that_of_the_second_to_the_first_whatever_their_signs() -> None:
    rng = np.random.default_rng(3)
    campaigns = pd.DataFrame({"first": rng.uniform(1, 3, ROWS), "second": rng.uniform(-3, 3, ROWS)})
    label = (campaigns["second"] / campaigns["first"] > 0.4).astype(int)
    assert score_of(audit(campaigns.assign(**{LABEL: label}), (FIRST, SECOND)), "second / first") == 1


def test_rows_without_an_outcome_are_no_failures() -> None:
    campaigns = pd.DataFrame({"first": [0.0, 1.0] * 40 + [1.0] * 80, LABEL: [0.0, 1.0] * 40 + [np.nan] * 80})
    assert score_of(audit(campaigns, (FIRST,)), "first") == 1


def test_a_category_that_turned_round_tells_nothing() -> None:
    values = pd.Series(["a", "b"] * 40)
    outcome = np.array([True, False] * 20 + [False, True] * 20)
    assert category_auc(values, outcome) == 0.5


@pytest.mark.parametrize(("rarer", "has_value"), [(9, False), (10, True)])
def test_ten_of_the_rarer_outcome_are_enough_to_tell(rarer: int, has_value: bool) -> None:
    values, outcome = np.arange(500.0), np.arange(500) < rarer
    assert rank_auc(values, outcome) == pytest.approx(0.0 if has_value else np.nan, nan_ok=True)
    assert rank_auc(values, ~outcome) == pytest.approx(1.0 if has_value else np.nan, nan_ok=True)


@pytest.mark.parametrize(
    ("roc_auc", "verb"), [(0.97, "all but decides"), (0.9994, "all but decides"), (1.0, "decides")]
)
def test_what_is_nearly_the_label_is_told_from_what_is_it(roc_auc: float, verb: str) -> None:
    assert leak_sentence([Signal((FIRST,), "", roc_auc)]).startswith(f"`first` {verb} the label by itself")


def test_a_column_is_doubted_by_its_name_in_the_file_and_a_derived_one_is_not() -> None:
    renamed = Column(name="Answer", source="responses", type="number", known="at launch")
    [sentence] = misdeclared_sentences([Signal((renamed,), "", 0.6)])
    assert sentence.startswith("By its name `Answer` is known later.")
    derived = Column(name="UpdatesLength", type="number", known="at launch", derive={"length": "updates"})
    assert misdeclared_sentences([Signal((derived,), "", 0.6), Signal((derived,), "", 0.97)]) == []
