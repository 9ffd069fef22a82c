from dataclasses import replace

from campaign.encoding import Encoder
from campaign.model import ScoringModel
from campaign.schema_file import parse_schema
from campaign.warm_up import smallest_forest
from tasks.training.backtest import Later
from tasks.training.model_card import model_card, verdict_section
from tasks.training.register import describe_model
from tests.published import KNOWN_CATEGORIES, PUBLISHED_TOML, SCHEMA


def card(card_facts, schema=SCHEMA, **differently) -> str:
    fitted, scores, data, explored = card_facts(**differently)
    about = describe_model(fitted, scores, None, data, explored, [])
    model = ScoringModel(schema.name, "1", schema, Encoder(schema.features, KNOWN_CATEGORIES), smallest_forest(), about)
    return model_card(model, scores, None, fitted.choice, data, explored)


def test_the_card_says_what_is_predicted_what_it_knows_and_when_that_is_known(card_facts):
    text = card(card_facts)
    assert "\n\nPredicts whether a campaign will reach its goal." in text
    assert "GoalAmount (at launch), RaisedAmount (at the end)" in text
    assert f"Schema `campaign-success`, digest `{SCHEMA.digest}`" in text
    assert "| roc auc | 0.90000 | 0.85000 – 0.95000 |" in text
    assert "- `RaisedAmount` against `GoalAmount` decides." in text


def test_the_words_are_those_of_the_schema(card_facts):
    words = PUBLISHED_TOML.replace('noun = "campaign"', 'noun = "offer"').replace(
        'yes = "reach its goal"', 'yes = "sell"'
    )
    assert "Predicts whether an offer will sell." in card(card_facts, parse_schema(words))


def test_rows_that_wait_for_their_outcome_and_a_fit_on_a_sample_are_said(card_facts):
    assert "without an outcome yet" not in card(card_facts)
    assert "an even sample" not in card(card_facts)
    text = card(card_facts, waiting=7, available=400)
    assert "2 bad rows in quarantine, 7 without an outcome yet." in text
    assert "fitted on an even sample of 80 of 400 train and validation rows" in text


def test_made_up_campaigns_and_the_bad_rows_of_days_are_said(card_facts):
    assert "made-up" not in card(card_facts)
    assert "It learnt from made-up campaigns." in card(card_facts, made_up=True)
    assert "2 bad rows, and 9 of those days in quarantine" in card(card_facts, bad_in_days=9)


def test_the_card_says_against_which_rows_drift_is_measured(card_facts):
    fitted, scores, data, explored = card_facts()
    about = describe_model(fitted, scores, None, data, explored, [])
    model = ScoringModel("m", "1", SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest(), about)
    newest = replace(scores, drift_rows="1,992 of its test rows, those of the newest labelled days (2026-11-28)")
    text = model_card(model, newest, None, fitted.choice, data, explored)
    assert (
        "\nDrift is measured against 1,992 of its test rows, those of the newest labelled days (2026-11-28).\n" in text
    )


def test_the_verdict_compares_both_sides_and_names_who_took_no_part():
    aucs = {"all": {"rows": 100, "candidate": 0.9, "champion": 0.8}}
    losses = {"all": {"rows": 100, "candidate": 0.3, "champion": 0.4}}
    text = verdict_section(True, "better", "3", aucs, losses, ["Not compared with version 2."])
    assert "Champion: better.\n" in text
    assert (
        "| test rows | rows | ROC-AUC | of champion 3 | log loss | of champion 3 |\n|---|---|---|---|---|---|\n" in text
    )
    assert "| all | 100 | 0.90000 | 0.80000 | 0.30000 | 0.40000 |" in text
    assert text.endswith("\nNot compared with version 2.\n")
    assert "Challenger: no.\n" in verdict_section(False, "no", "", {}, {})


def test_a_card_without_leaks_says_so(card_facts):
    fitted, scores, data, explored = card_facts()
    about = describe_model(fitted, scores, None, data, replace(explored, findings=[]), [])
    model = ScoringModel("m", "1", SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest(), about)
    assert "No feature gives the label away." in model_card(
        model, scores, None, fitted.choice, data, replace(explored, findings=[])
    )


def test_the_card_leads_with_what_to_expect_which_is_the_later_figure_where_time_is_known(card_facts):
    fitted, scores, data, explored = card_facts()
    assert card(card_facts).splitlines()[2].startswith("Expect a ROC-AUC of about 0.900, which it has on test rows")
    metrics = {"later_roc_auc": 0.81, "later_log_loss": 0.4, "later_calibration_error": 0.06}
    metrics |= {"base_rate_earlier": 0.1, "base_rate_later": 0.3}
    later = Later(metrics, {"later_roc_auc": (0.78, 0.84)}, 800, 200, "2026-06-01")
    about = describe_model(fitted, scores, later, data, explored, [])
    assert about["metrics"] == scores.metrics | later.metrics
    model = ScoringModel("m", "1", SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest(), about)
    text = model_card(model, scores, later, fitted.choice, data, explored)
    assert text.splitlines()[2].startswith("Expect a ROC-AUC of about 0.810 (0.780 to 0.840)")
    assert "on test rows of all times it is 0.900." in text.splitlines()[2]
    assert "judged on the latest 200 (from 2026-06-01 on)" in text
    assert "| log loss | 0.40000 | – |" in text
    assert "Of the earlier rows 10.0% succeeded, of the latest 30.0%: the world moves" in text
    steady = replace(later, metrics=later.metrics | {"base_rate_later": 0.11})
    assert "the world moves" not in model_card(model, scores, steady, fitted.choice, data, explored)


def test_the_six_features_that_are_missed_most_are_named(card_facts):
    fitted, scores, data, explored = card_facts()
    about = describe_model(fitted, scores, None, data, explored, [])
    model = ScoringModel("m", "1", SCHEMA, Encoder(SCHEMA.features, KNOWN_CATEGORIES), smallest_forest(), about)
    many = replace(scores, importance={f"feature {place}": 0.3 - place / 100 for place in range(1, 9)})
    text = model_card(model, many, None, fitted.choice, data, explored)
    named = [line for line in text.splitlines() if line.startswith("| feature ") and "ROC-AUC" not in line]
    assert named[0] == "| feature 1 | +0.2900 |"
    assert [line.split(" | ")[0] for line in named] == [f"| feature {place}" for place in range(1, 7)]
