"""Values as people write them, through every door: what each door makes of a file is what it makes of the plain one."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from campaign.encoding import Encoder
from campaign.forest import Forest
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from campaign.schema import Schema
from campaign.schema_file import parse_schema
from campaign.store import Store
from deployments.batch import predict
from deployments.web_service.live_model import LiveModel
from deployments.web_service.parquet import ParquetDecoder
from deployments.web_service.upload import CSV, read_upload
from flows.first_look import render
from tasks.outcomes import Outcomes
from tasks.scoring.score import input_files
from tasks.scoring.scored_pieces import score_all, score_inputs
from tasks.training.ingest import Sources
from tasks.training.propose_schema import propose_schema
from tasks.training.validate import gather

DAY = date(2026, 11, 22)
ROWS = 60
SCHEMA = """
[model]
name = "projects"
[row]
id = "ID"
launch = "launched"
end = "deadline"
[outcome]
column = "state"
success = ["won", "true"]
failure = ["lost", "false"]
[text]
{text}
[[column]]
name = "goal"
type = "number"
known = "at launch"
minimum = 0
[[column]]
name = "balance"
type = "number"
known = "at launch"
nullable = true
{balance}
[[column]]
name = "country"
type = "category"
known = "at launch"
missingValues = [""]
[[column]]
name = "days"
type = "number"
known = "at launch"
derive = {{ days_between = ["launched", "deadline"] }}
[[column]]
name = "month"
type = "number"
known = "at launch"
derive = {{ month = "launched" }}
"""
Writer = Callable[[pd.Series], pd.Series]


def in_german(numbers: pd.Series) -> pd.Series:
    swapped = str.maketrans(",.", ".,")
    return numbers.map(lambda value: f"{value:,.2f}".translate(swapped), na_action="ignore")


KINDS: dict[str, tuple[str, str, dict[str, Writer]]] = {  # [text], keys of balance, how columns are written
    "plain": ("", "", {}),
    "decimal comma and thousands": (
        'delimiter = ";"\ndecimalChar = ","\ngroupChar = "."', "", dict.fromkeys(("goal", "balance"), in_german),
    ),
    "thousands": ('groupChar = ","', "", {"goal": lambda goal: goal.map("{:,.2f}".format)}),
    "currency signs": ('groupChar = ","', "", {"goal": lambda goal: goal.map("${:,.2f}".format)}),
    "currency codes": ('groupChar = ","', "", {"goal": lambda goal: goal.map("EUR {:,.2f}".format)}),
    "percent": ("", "", {"balance": lambda balance: balance.map("{:g}%".format, na_action="ignore")}),
    "brackets": ("", "", {"balance": lambda balance: balance.map(bracketed, na_action="ignore")}),
    "in thousands": ("", "", {"goal": lambda goal: goal.map(lambda value: f"{value / 1000:.5f}k")}),
    "in millions": ("", "", {"goal": lambda goal: goal.map(lambda value: f"{value / 1e6:.8f}M")}),
    "a sentinel": ("", 'missingValues = ["", "-99"]', {"balance": lambda balance: balance.fillna(-99)}),
    "day first": ('dateOrder = "DMY"', "", {"launched": lambda times: times.dt.strftime("%d.%m.%Y %H:%M:%S")}),
    "month first": ('dateOrder = "MDY"', "", {"launched": lambda times: times.dt.strftime("%m/%d/%Y %H:%M:%S")}),
    "named months": ("", "", {"launched": lambda times: times.dt.strftime("%d %B %Y %H:%M:%S")}),
    "Unix seconds": ("", "", {"launched": lambda times: times.map(lambda time: int(time.timestamp()))}),
    "Unix milliseconds": ("", "", {"launched": lambda times: times.map(lambda time: int(time.timestamp() * 1000))}),
    "another zone": ("", "", {"launched": lambda times: times.dt.tz_convert("Asia/Tokyo").map(pd.Timestamp.isoformat)}),
    "ids as floats, with spaces": ("", "", {"ID": lambda ids: ids.map(lambda number: f" {number}.0 ")}),
    "outcomes as booleans": ("", "", {"state": lambda states: states.replace({"won": "TRUE", "lost": "FALSE"})}),
    "categories in capitals": ("", "", {"country": lambda countries: countries.str.lower()}),
}  # fmt: skip


def bracketed(value: float) -> str:
    return f"({-value:g})" if value < 0 else f"{value:g}"


@cache
def frame() -> pd.DataFrame:
    """Projects of which some wait for their outcome, one ends before it begins, and Namibia's are written NA."""
    rng = np.random.default_rng(1)
    launched = pd.Series(pd.date_range("2026-03-05 08:30:00", periods=ROWS, freq="37h", tz=UTC))
    made = pd.DataFrame({
        "ID": 1_000 + np.arange(ROWS),
        "goal": np.round(rng.lognormal(8, 1, ROWS), 2),
        "balance": np.where(rng.random(ROWS) < 0.3, np.nan, rng.integers(-50, 90, ROWS)),
        "country": rng.choice(["NA", "DE", "US"], ROWS),
        "launched": launched,
        "deadline": launched + pd.to_timedelta(rng.integers(5, 60, ROWS), unit="D"),
        "state": rng.choice(["won", "lost", "live"], ROWS),
    })  # fmt: skip
    made.loc[7, "deadline"] = datetime(2026, 1, 1, tzinfo=UTC)
    return made


@cache
def model() -> ScoringModel:
    schema = parse_schema(SCHEMA.format(text="", balance=""))
    encoder = Encoder.fit(schema.features, {"country": ("NA", "DE", "US")})
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.lognormal(8, 1, 900), rng.integers(-50, 90, 900), rng.integers(0, 3, 900),
                         rng.integers(5, 60, 900), rng.integers(1, 13, 900)]).astype(np.float32)  # fmt: skip
    forest = RandomForestClassifier(20, random_state=1).fit(X, rng.integers(0, 2, 900))
    return ScoringModel("projects", "1", schema, encoder, Forest.from_sklearn(forest))


class Kind:
    """A file of one kind, its schema, and a model that carries that schema."""

    def __init__(self, name: str, folder: Path) -> None:
        text, balance, writers = KINDS[name]
        self.schema: Schema = parse_schema(SCHEMA.format(text=text, balance=balance))
        plain = model()
        self.model = ScoringModel("projects", "1", self.schema, plain.encoder, plain.predictor)
        written = frame().assign(**{column: write(frame()[column]) for column, write in writers.items()})
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "projects.csv"
        written.to_csv(self.file, index=False, sep=";" if "delimiter" in text else ",")

    def predictions(self, *paths: str) -> pd.DataFrame:
        tables = [pq.read_table(path, columns=["CampaignID", "probability"]).to_pandas() for path in paths]
        found = pd.concat(tables)
        return found.assign(CampaignID=found["CampaignID"].str.strip().str.removesuffix(".0")).reset_index(drop=True)


@pytest.fixture(params=[name for name in KINDS if name != "plain"])
def kinds(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Kind, Kind]:
    """The kind, and the plain form of the same projects."""
    return Kind(request.param, tmp_path / "odd"), Kind("plain", tmp_path / "plain")


def test_training_gathers_the_same_rows(kinds: tuple[Kind, Kind], tmp_path: Path) -> None:
    gathered = []
    for kind in kinds:
        data, rejected = gather(Sources("a", str(kind.file), ()), tmp_path, kind.schema)
        assert [reason for table in rejected for reason in table["reasons"].to_pylist()] == [
            "deadline is before launched"
        ]
        assert data.waiting == (frame()["state"] == "live").sum() - (frame()["state"][7] == "live")
        gathered.append(
            pd.read_parquet(data.path)
            .drop(columns="CampaignID")
            .assign(country=lambda rows: rows["country"].str.upper())
        )
    pd.testing.assert_frame_equal(*gathered, rtol=1e-5)
    assert (gathered[0]["country"] == "NA").any()
    assert gathered[0]["balance"].isna().any()


def test_a_day_is_scored_alike(kinds: tuple[Kind, Kind], tmp_path: Path) -> None:
    scored = []
    for number, kind in enumerate(kinds):
        store = Store((tmp_path / f"store-{number}").as_uri())
        store.publish(f"incoming/day={DAY}/projects.csv", kind.file.read_bytes())
        manifest = score_inputs(
            store,
            DAY,
            input_files(store, DAY),
            kind.model,
            lambda pieces, kind=kind, store=store: score_all(store, pieces, kind.model),
        )
        assert (manifest.rows.read, manifest.rows.scored, manifest.rows.quarantined) == (ROWS, ROWS - 1, 1)
        scored.append(kind.predictions(*(part.uri.removeprefix("file://") for part in manifest.parts)))
    pd.testing.assert_frame_equal(*scored)


def test_outcomes_are_the_same(kinds: tuple[Kind, Kind]) -> None:
    ids = pa.array(frame()["ID"].astype(str).tolist(), pa.string())
    odd, plain = (Outcomes.read((str(kind.file),), kind.schema).of(ids).tolist() for kind in kinds)
    assert odd == plain
    assert plain == frame()["state"].map({"won": 1, "lost": 0, "live": -1}).tolist()


def test_the_web_service_answers_alike(kinds: tuple[Kind, Kind]) -> None:
    odd, plain = (
        read_upload(CSV, kind.file.read_bytes(), LiveModel(kind.model, 0), ParquetDecoder()) for kind in kinds
    )
    assert (odd.rows, [*odd.errors]) == (plain.rows, [*plain.errors]) == (ROWS, [7])
    np.testing.assert_allclose(odd.matrix, plain.matrix, rtol=1e-5)


def test_the_batch_predictor_scores_alike(kinds: tuple[Kind, Kind], tmp_path: Path) -> None:
    scored = []
    for kind in kinds:
        out = str(tmp_path / "out.parquet")
        rows = predict.score(str(kind.file), out, kind.model)
        assert (rows.scored, rows.quarantined) == (ROWS - 1, 1)
        scored.append(kind.predictions(out))
    pd.testing.assert_frame_equal(*scored)


def test_init_proposes_a_schema_that_reads_the_same(kinds: tuple[Kind, Kind], tmp_path: Path) -> None:
    """Told of the outcome's words where they are not the usual ones, and of nothing else."""
    gathered = []
    for kind in kinds:
        success = ["TRUE"] if "TRUE" in kind.file.read_text() else ["won"]
        schema = parse_schema(render(propose_schema(str(kind.file), "state", success), "projects"))
        assert (schema.row.id, schema.row.launch, schema.row.end) == ("ID", "launched", "deadline")
        data, _ = gather(Sources("a", str(kind.file), ()), tmp_path, schema)
        assert (data.rows + data.waiting, data.bad) == (ROWS - 1, 1)
        gathered.append(pd.read_parquet(data.path)[["goal", "balance", "DurationDays", "LaunchMonth", "IsSuccessful"]])
    pd.testing.assert_frame_equal(*gathered, rtol=1e-5)


def test_the_model_tells_these_projects_apart(tmp_path: Path) -> None:
    """Else the tests above would prove little."""
    kind = Kind("plain", tmp_path)
    [batch] = read_campaigns(str(kind.file), kind.schema)
    assert len(np.unique(kind.model.probabilities_of(batch))) > 10
