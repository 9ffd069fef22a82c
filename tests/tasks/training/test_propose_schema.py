"""What `campaign init` makes of files that it has never seen."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from campaign.errors import BadInput
from campaign.reading import read_campaigns
from campaign.schema import Schema
from campaign.schema_file import parse_schema
from flows.first_look import model_name, render
from tasks.training.proposal import Proposal
from tasks.training.propose_schema import propose_schema

ROWS = 600


def projects() -> pd.DataFrame:
    """Crowdfunding projects as a platform exports them: what was pledged decides the outcome."""
    chance = np.random.default_rng(3)
    launched = pd.Timestamp("2015-01-01") + pd.to_timedelta(chance.integers(0, 900 * 24, ROWS), unit="h")
    goal = chance.integers(100, 50_000, ROWS)
    pledged = (goal * chance.uniform(0, 2, ROWS)).round(2)
    state = np.where(pledged >= goal, "successful", "failed")
    state[::20] = "live"
    return pd.DataFrame({
        "ID": 1_000_000 + np.arange(ROWS),
        "name": [f"A project about thing {at}" for at in range(ROWS)],
        "category": chance.choice([f"Category {at}" for at in range(40)], ROWS),
        "country": chance.choice(["US", "GB", "DE", "FR", "NA", "CA"], ROWS),
        "launched": launched.strftime("%Y-%m-%d %H:%M:%S"),
        "deadline": (launched + pd.Timedelta(days=30)).strftime("%Y-%m-%d"),
        "goal": goal,
        "pledged": pledged,
        "backers": (pledged / 30).astype(int),
        "platform": "ours",
        "state": state,
    })  # fmt: skip


def calls() -> pd.DataFrame:
    """Phone calls without an id or a date, where -1 is no earlier contact and unknown is missing."""
    chance = np.random.default_rng(4)
    answer = chance.random(ROWS) < 0.12
    return pd.DataFrame({
        "age": chance.integers(18, 90, ROWS),
        "job": chance.choice(["admin", "student", "retired", "unknown"], ROWS),
        "balance": chance.integers(-500, 9_000, ROWS),
        "duration": np.where(answer, 400, 100) + chance.integers(0, 300, ROWS),
        "pdays": np.where(chance.random(ROWS) < 0.8, -1, chance.integers(1, 300, ROWS)),
        "y": np.where(answer, "yes", "no"),
    })  # fmt: skip


def proposed(
    tmp_path: Path, frame: pd.DataFrame, name: str = "a.csv", **options: object
) -> tuple[Proposal, Schema, str]:
    path = tmp_path / name
    frame.to_parquet(path, index=False) if name.endswith(".parquet") else frame.to_csv(path, index=False, **options)
    proposal = propose_schema(str(path))
    text = render(proposal, "model")
    return proposal, parse_schema(text), text


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_platforms_export_is_understood(tmp_path: Path, name: str) -> None:
    proposal, schema, text = proposed(tmp_path, projects(), name)
    assert (schema.row.id, schema.row.launch, schema.row.end) == ("ID", "launched", "deadline")
    assert (schema.outcome.column, schema.outcome.success, schema.outcome.failure) == (
        "state",
        ("successful",),
        ("failed",),
    )
    known = {column.name: column.known for column in schema.columns}
    assert {known[name] for name in ("category", "country", "goal", "DurationDays", "LaunchMonth")} == {"at launch"}
    assert known["pledged"] == known["backers"] == "at the end"
    assert {*known} & {"ID", "name", "platform", "state", "launched"} == set()
    assert schema.column("NameLength").derive is not None
    assert proposal.left_out["platform"] == "it always holds the same"
    assert "others wait: live" in text
    assert [column.name for column in schema.features][:3] == ["category", "country", "goal"]


def test_namibia_is_a_country(tmp_path: Path) -> None:
    _, schema, _ = proposed(tmp_path, projects())
    assert schema.column("country").missing_values == ("",)
    assert not schema.column("country").nullable


def test_calls_without_an_id_or_a_date_are_understood(tmp_path: Path) -> None:
    _, schema, text = proposed(tmp_path, calls(), sep=";")
    assert (schema.row.id, schema.row.launch) == ("", "")
    assert schema.text.delimiter == ";"
    assert (schema.outcome.success, schema.outcome.failure) == (("yes",), ("no",))
    pdays, job = schema.column("pdays"), schema.column("job")
    assert (pdays.nullable, pdays.missing_values) == (True, ("", "-1"))
    assert job.nullable
    assert "unknown" in (job.missing_values or ())
    assert schema.column("duration").known == "at the end"
    assert schema.column("balance").minimum is None
    assert schema.column("age").minimum == 0
    assert '# order = "time"' in text


def test_a_spreadsheet_of_another_country_is_understood(tmp_path: Path) -> None:
    frame = projects()
    frame["goal"] = [f"{goal:,}".replace(",", ".") + ",50 €" for goal in frame["goal"]]
    for name in ("launched", "deadline"):
        frame[name] = pd.to_datetime(frame[name]).dt.strftime("%d.%m.%Y %H:%M")
    _, schema, _ = proposed(tmp_path, frame.drop(columns="pledged"), sep=";", encoding="cp1252")
    assert (schema.text.decimal_char, schema.text.group_char, schema.text.date_order) == (",", ".", "DMY")
    assert schema.text.encoding == "cp1252"
    assert schema.column("goal").type == "number"
    assert (schema.row.launch, schema.row.end) == ("launched", "deadline")


def test_a_file_with_broken_characters_can_be_trained_on_with_its_proposal(tmp_path: Path) -> None:
    frame = projects()
    frame["name"] = [f"Café № {at}" for at in range(ROWS)]
    text = frame.to_csv(index=False).encode().replace("é № 7".encode(), b"\xe9 7", 1)
    (tmp_path / "a.csv").write_bytes(text)
    rendered = render(propose_schema(str(tmp_path / "a.csv")), "model")
    assert "read as utf-8 (1 broken character)" in rendered
    schema = parse_schema(rendered)
    assert schema.text.encoding == ""
    assert sum(len(batch) for batch in read_campaigns(str(tmp_path / "a.csv"), schema, label=True)) == ROWS


def test_a_folder_of_parts_is_looked_at_as_one_file(tmp_path: Path) -> None:
    for name, part in (("part-0.csv", projects()[:400]), ("part-1.csv", projects()[400:])):
        part.to_csv(tmp_path / name, index=False)
    (tmp_path / "_SUCCESS").touch()
    proposal = propose_schema(str(tmp_path))
    assert (proposal.rows, proposal.row["id"]) == (ROWS, "ID")


def test_the_outcome_may_be_said(tmp_path: Path) -> None:
    frame = (
        projects()
        .rename(columns={"state": "what became of it"})
        .replace({"successful": "made it", "failed": "nothing"})
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(BadInput, match=r"a\.csv: no column looks like an outcome .* --outcome COLUMN --success WORD"):
        propose_schema(str(tmp_path / "a.csv"))
    proposal = propose_schema(str(tmp_path / "a.csv"), "What became of it", ["made it"])
    assert proposal.outcome["success"] == ["made it"]
    with pytest.raises(BadInput, match=r"column what became of it does not hold soon \(but made it, nothing, live\)"):
        propose_schema(str(tmp_path / "a.csv"), "what became of it", ["soon"])


@pytest.mark.parametrize(
    ("file", "name"),
    [("kickstarter.csv", "kickstarter"), ("s3://b/My calls (2).csv.gz", "My-calls-2"), ("parts.parquet/", "parts")],
)  # fmt: skip
def test_a_model_is_named_after_its_file(file: str, name: str) -> None:
    assert model_name(file) == name


def test_equal_rows_without_an_id_are_said(tmp_path: Path) -> None:
    frame = pd.concat([calls(), calls().head(25)])
    proposal, _, text = proposed(tmp_path, frame)
    assert proposal.equal_rows == 25
    assert "# ? No id, and 25 rows equal an earlier one" in text
    assert proposed(tmp_path, projects())[0].equal_rows == 0


def test_a_mailing_of_another_country_is_understood(tmp_path: Path) -> None:
    """Dates with points, words of another language, a customer's number, three answers in a hundred."""
    chance = np.random.default_rng(5)
    sent = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(chance.integers(0, 700, ROWS), unit="D"))
    frame = pd.DataFrame({
        "Kundennummer": [f"K{at:06d}" for at in range(ROWS)],
        "Versand am": sent.dt.strftime("%d.%m.%Y"),
        "Umsatz": [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in chance.lognormal(6, 1, ROWS)],
        "Kontakt vor Tagen": np.where(chance.random(ROWS) < 0.5, 999, chance.integers(0, 40, ROWS)),
        "Reagiert": np.where(np.arange(ROWS) % 33 == 0, "ja", "nein"),
    })  # fmt: skip
    frame.to_csv(tmp_path / "mailing.csv", index=False, sep=";")
    proposal = propose_schema(str(tmp_path / "mailing.csv"))
    schema = parse_schema(render(proposal, "mailing"))
    assert (schema.row.id, schema.row.launch) == ("Kundennummer", "Versand am")
    assert (schema.outcome.success, schema.outcome.failure) == (("ja",), ("nein",))
    assert schema.outcome.decide.share == 0.1
    assert (schema.text.date_order, schema.text.decimal_char) == ("DMY", ",")
    assert schema.column("Kontakt vor Tagen").missing_values == ("", "999")


def test_texts_for_machines_are_not_measured(tmp_path: Path) -> None:
    frame = projects()
    frame.loc[frame.index % 3 == 0, "name"] = [f"Bliss{at}" for at in range(0, ROWS, 3)]  # a name may be one word
    frame = frame.assign(creator='{"id": 1, "name": "somebody"}', slug=[f"a-project-{at}" for at in range(ROWS)])
    frame["creator"] = [text.replace("1", str(at)) for at, text in enumerate(frame["creator"])]
    frame.to_csv(tmp_path / "a.csv", index=False)
    derived = {column.name for column in propose_schema(str(tmp_path / "a.csv")).columns}
    assert {"NameLength", "NameWords"} <= derived
    assert not {name for name in derived if name.startswith(("Creator", "Slug"))}


DAYS = [f"2026-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(60)]
ENDS = [day.replace("2026", "2027") for day in DAYS]
CODES = [f"K{at:03}" for at in range(60)]


def proposal_of(tmp_path: Path, **columns: object) -> Proposal:
    """Of a file of sixty rows with these columns and an outcome."""
    pd.DataFrame({**columns, "y": ["yes", "no"] * 30}).to_csv(tmp_path / "a.csv", index=False)
    return propose_schema(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("columns", "row_id", "note"),
    [
        ({"code": CODES, "customer_id": range(60)}, "customer_id", "every value differs"),
        ({"code": CODES, "age": range(60)}, "code", "? every value differs"),
        ({"name": [f"A thing called {at}" for at in range(60)]}, "", ""),
        ({"code": ["x" * 40 + code for code in CODES]}, "", ""),
        ({"customer_id": [*range(59), 0]}, "", ""),
        ({"created": pd.date_range("2026-01-01", periods=60)}, "", ""),
    ],
)
def test_an_id_differs_in_every_row_and_is_called_so_or_looks_like_a_code(tmp_path, columns, row_id, note) -> None:
    proposal = proposal_of(tmp_path, **columns)
    assert (proposal.row.get("id", ""), proposal.notes.get("row.id", "")) == (row_id, note)


def test_begin_and_end_go_by_their_names_and_rows_that_cannot_be_are_counted(tmp_path: Path) -> None:
    launched = ["1970-01-01", "1970-12-31", *DAYS[2:]]
    proposal = proposal_of(tmp_path, recorded=DAYS, deadline=ENDS, launched=launched)
    assert (proposal.row["launch"], proposal.row["end"]) == ("launched", "deadline")
    assert proposal.notes["row.launch"] == "a time, 2 in or before 1970"
    wrong = [DAYS[0], "2025-01-01", *ENDS[2:]]  # one ends as it begins, one before
    assert proposal_of(tmp_path, launched=DAYS, deadline=wrong).notes["row.launch"] == "a time, 2 not before deadline"
    always = proposal_of(tmp_path, launched=["1971-01-01", *DAYS[1:]], deadline=ENDS)
    assert always.notes["row.launch"] == "a time, always before deadline"
    assert proposal_of(tmp_path, recorded=DAYS).notes["row.launch"] == "? a time"


def test_so_many_rows_are_looked_at_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.training.propose_schema.SAMPLE_ROWS", 40)
    assert proposal_of(tmp_path, age=range(60)).rows == 40


@pytest.mark.parametrize(("successes", "share"), [(11, 0.1), (12, None)])
def test_where_few_succeed_the_most_probable_are_acted_on(tmp_path: Path, successes: int, share: float | None) -> None:
    answers = ["yes"] * successes + ["no"] * (60 - successes)
    pd.DataFrame({"age": range(60), "y": answers}).to_csv(tmp_path / "a.csv", index=False)
    decide = propose_schema(str(tmp_path / "a.csv")).outcome.get("decide")
    assert decide == (share and {"share": share})


@pytest.mark.parametrize(("form", "order"), [("%Y-%m-%d", None), ("%d.%m.%Y", "DMY"), ("%m/%d/%Y", "MDY")])
def test_the_order_of_dates_is_said_where_it_is_not_that_of_iso(tmp_path: Path, form: str, order: str | None) -> None:
    launched = [datetime.fromisoformat(day).strftime(form) for day in DAYS]
    assert proposal_of(tmp_path, launched=launched).text.get("dateOrder") == order


def test_of_a_file_with_broken_characters_no_encoding_is_said_under_which_they_may_not_be(tmp_path: Path) -> None:
    text = pd.DataFrame({"age": range(60), "note": CODES, "y": ["yes", "no"] * 30}).to_csv(index=False)
    for broken in (False, True):
        written = text.encode("utf-16")
        if broken:
            written = written.replace("K007".encode("utf-16-le"), "K00".encode("utf-16-le") + b"\x00\xd8")
        (tmp_path / "a.csv").write_bytes(written)
        assert ("encoding" in propose_schema(str(tmp_path / "a.csv")).text) != broken
