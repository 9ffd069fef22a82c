import gzip
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from web_world import FILM, Web, process, write_bundle

from campaign import synthetic
from campaign.model import ScoringModel
from campaign.reading import read_campaigns
from tests.published import NAMES, SCHEMA

ROOT = Path(__file__).parents[2]
WEB = ROOT / "deployments" / "web_service"


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {fault["field"]: fault["reason"] for fault in answer.json()["detail"]}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.Table.from_batches(synthetic.campaigns(300))


def expected(champion: Path, table: pa.Table, folder: Path) -> np.ndarray:
    """What the batch predictor's way of reading and scoring says."""
    pq.write_table(table, folder / "expected.parquet")
    batch = next(read_campaigns(str(folder / "expected.parquet"), SCHEMA))
    return ScoringModel.load(champion, "7").probabilities_of(batch)


def as_json(table: pa.Table) -> list[dict[str, Any]]:
    return [{name.lower(): value for name, value in row.items()} for row in table.select([*NAMES]).to_pylist()]


# One campaign


def test_a_client_of_the_replaced_service_reads_success(web: Web) -> None:
    answer = web.ask.post("/predict", json=FILM)
    assert answer.status_code == 200
    assert set(answer.json()) == {"success", "probability", "model_version", "prediction_id"}
    assert answer.json()["success"] is (answer.json()["probability"] > 0.5)
    assert answer.json()["model_version"] == "7"


def test_a_campaign_gets_the_probability_that_a_day_of_files_gets(
    web: Web, champion: Path, table: pa.Table, tmp_path: Path
) -> None:
    answers = [web.ask.post("/predict", json=row).json()["probability"] for row in as_json(table.slice(0, 50))]
    np.testing.assert_array_equal(answers, expected(champion, table.slice(0, 50), tmp_path))


@pytest.mark.parametrize(
    "spelled",
    [
        {name: FILM[name.lower()] for name in NAMES},
        FILM | {"category": "fILM", "country": "uk", "videoincluded": "YES", "launchmonth": " june "},
        FILM | {"videoincluded": True},
        FILM | {"goalamount": "20000", "raisedamount": "26000.0"},
        FILM | {"campaignid": "mine", "issuccessful": 1, "colour": "red"},
        FILM | {"campaignid": 12},
        FILM | {"campaignid": None},
    ],
    ids=["published", "cases", "true for yes", "numbers as text", "more fields", "a number as id", "no id"],
)
def test_a_campaign_may_be_spelled_in_several_ways(web: Web, spelled: dict[str, Any]) -> None:
    plain, other = (web.ask.post("/predict", json=campaign) for campaign in (FILM, spelled))
    assert other.status_code == 200, other.text
    assert other.json()["probability"] == plain.json()["probability"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("goalamount", "much", "is not a number"),
        ("goalamount", True, "is not a number"),
        ("goalamount", None, "is missing"),
        ("goalamount", -1, "is negative"),
        ("goalamount", 1e39, "is not finite"),
        ("goalamount", [1], "is not a number"),
        ("durationdays", 0, "is not more than 0"),
        ("category", "", "is missing"),
        ("category", "  ", "is missing"),
        ("category", 3, "is not text"),
        ("category", "x" * 201, "is longer than 200 characters"),
        ("campaignid", {"a": 1}, "is not text"),
    ],
)
def test_what_is_wrong_with_a_field_is_said(web: Web, field: str, value: Any, reason: str) -> None:
    assert faults(web.ask.post("/predict", json=FILM | {field: value})) == {field: reason}


def test_a_field_in_two_spellings_counts_once_or_is_refused(web: Web) -> None:
    same = web.ask.post("/predict", json=FILM | {"GoalAmount": FILM["goalamount"], "numBackers": "400"})
    assert same.status_code == 200, same.text
    for more in ({"GoalAmount": 5}, {"colour": "red", "GOALAMOUNT": 5}):
        reason = f"is there twice, as goalamount and {[*more][-1]}, and differs"
        assert faults(web.ask.post("/predict", json=FILM | more)) == {"goalamount": reason}
    [row] = web.ask.post("/predict/batch", json=[FILM | {"GoalAmount": 5}]).json()["predictions"]
    assert "is there twice" in row["error"]


@pytest.mark.parametrize("path", ["/predict", "/explain", "/predict/batch"])
def test_a_body_may_be_packed_and_is_measured_unpacked(web: Web, path: str) -> None:
    body = json.dumps([FILM] if path == "/predict/batch" else FILM).encode()
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    packed, plain = (
        web.ask.post(path, content=content, headers=head)
        for content, head in ((gzip.compress(body), headers), (body, {"content-type": "application/json"}))
    )
    assert packed.status_code == 200, packed.text
    assert [*packed.json()] == [*plain.json()]
    bomb = gzip.compress(b" " * (1 << 24) + body)
    assert len(bomb) < 1 << 16
    assert web.ask.post(path, content=bomb, headers=headers).status_code == 413
    assert "gzip" in str(faults(web.ask.post(path, content=body, headers=headers)))
    assert "ends before" in str(faults(web.ask.post(path, content=gzip.compress(body)[:-9], headers=headers)))
    other = web.ask.post(path, content=body, headers=headers | {"content-encoding": "br"})
    assert (other.status_code, other.json()["detail"]) == (415, "The content encoding is 'br'. Send gzip, or none.")


def test_every_missing_field_is_named_at_once(web: Web) -> None:
    assert faults(web.ask.post("/predict", json={})) == {name.lower(): "is missing" for name in NAMES}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 400, "1" + "0" * 5000])
def test_a_number_beyond_all_numbers_is_refused(web: Web, number: str) -> None:
    body = json.dumps(FILM).replace("26000", number)
    answer = web.ask.post("/predict", content=body, headers={"content-type": "application/json"})
    assert set(faults(answer)) <= {"raisedamount", "body"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"3", b"[]", b"null", b"[" * 60_000, b"\xff\xfe", b'{"goalamount": "\\ud800"}']
)
def test_what_is_no_campaign_in_json_is_refused(web: Web, body: bytes) -> None:
    for path in ("/predict", "/explain"):
        assert faults(web.ask.post(path, content=body, headers={"content-type": "application/json"}))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "nonsense"])
def test_a_form_of_another_site_cannot_ask(web: Web, kind: str) -> None:
    answer = web.ask.post("/predict", content=json.dumps(FILM), headers={"content-type": kind})
    assert answer.status_code == 415
    assert "Send application/json" in answer.json()["detail"]
    assert len(web.service.capture._queue) == 0


@pytest.mark.parametrize("path", ["/predict", "/explain", "/predict/batch"])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_huge_body_is_refused_and_the_next_is_answered(web: Web, path: str, chunked: bool) -> None:
    body = b" " * (9 << 20)
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    answer = web.ask.post(path, content=pieces if chunked else body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert web.ask.post("/predict", json=FILM).status_code == 200


def test_an_unknown_category_is_scored_and_counted(web: Web) -> None:
    before = web.count('campaign_unknown_categories_total{feature="Category"}')
    assert web.ask.post("/predict", json=FILM | {"category": "Podcast"}).status_code == 200
    assert web.count('campaign_unknown_categories_total{feature="Category"}') == before + 1


def test_a_model_of_what_is_known_at_launch_does_not_ask_for_the_rest(
    serve: Callable[..., Web], tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "launch", "1", feature_set="launch")
    web = serve(CAMPAIGN_BUNDLE=str(folder), CAMPAIGN_MODEL="campaign-success-launch")
    web.service.rotation.refresh()
    at_launch = {
        name: value for name, value in FILM.items() if name not in ("raisedamount", "numbackers", "numupdates")
    }
    for body in (at_launch, FILM):
        assert web.ask.post("/predict", json=body).status_code == 200
    assert {feature["known"] for feature in web.ask.get("/model").json()["features"]} == {"at launch"}
    assert web.captured()["RaisedAmount"].to_pylist() == [None, 26_000.0]


# Many campaigns


def sent_as(kind: str, table: pa.Table) -> dict[str, Any]:
    out = io.BytesIO()
    if kind == "csv":
        pacsv.write_csv(table, out)
        return {"content": out.getvalue(), "headers": {"content-type": "text/csv"}}
    if kind in ("parquet", "a file of bytes"):
        pq.write_table(table, out)
        name = "application/vnd.apache.parquet" if kind == "parquet" else "application/octet-stream"
        return {"content": out.getvalue(), "headers": {"content-type": name}}
    rows = as_json(table)
    return {"json": rows if kind == "a list" else {"campaigns": rows}}


@pytest.mark.parametrize("kind", ["rows", "a list", "csv", "parquet", "a file of bytes"])
def test_a_table_is_answered_alike_in_every_form(
    web: Web, kind: str, champion: Path, table: pa.Table, tmp_path: Path
) -> None:
    answer = web.ask.post("/predict/batch", **sent_as(kind, table)).json()
    wanted = expected(champion, table, tmp_path)
    assert [row["probability"] for row in answer["predictions"]] == wanted.tolist()
    assert [row["success"] for row in answer["predictions"]] == (wanted > 0.5).tolist()
    assert [row["row"] for row in answer["predictions"]] == list(range(1, 301))
    assert (answer["successful"], answer["rejected"], answer["model_version"]) == ((wanted > 0.5).sum(), 0, "7")
    assert answer["successful"] + answer["unsuccessful"] == 300


def test_what_the_page_of_the_service_says_to_send_is_answered(web: Web) -> None:
    page = (ROOT / "docs" / "web-service.md").read_text()
    (campaign,) = re.findall(r"/predict -H .*? -d '(.*?)'", page, re.DOTALL)
    assert web.ask.post("/predict", json=json.loads(campaign)).json()["success"] is True
    assert "--data-binary @docs/campaigns.csv" in page


def test_the_table_to_try_is_one(web: Web) -> None:
    table = (ROOT / "docs" / "campaigns.csv").read_bytes()
    answer = web.ask.post("/predict/batch", content=table, headers={"Content-Type": "text/csv"}).json()
    assert (answer["rejected"], answer["successful"] + answer["unsuccessful"], answer["unknown"]) == (0, 20, {})


@pytest.mark.parametrize("kind", ["rows", "csv", "parquet"])
def test_values_that_the_model_never_met_are_counted(web: Web, kind: str, table: pa.Table) -> None:
    strange = table.slice(0, 8).to_pylist()
    for row in strange[:3]:
        row["Category"] = "Küche"
    strange[5]["Category"] = "K" * 60
    sent = sent_as(kind, pa.Table.from_pylist(strange))
    assert web.ask.post("/predict/batch", **sent).json()["unknown"] == {"Category": {"Küche": 3, "K" * 40: 1}}
    sent["headers"] = {**sent.get("headers", {}), "Accept": "text/csv"}
    told = web.ask.post("/predict/batch", **sent).headers["x-values-not-known"]
    assert json.loads(told)["Category"]["Küche"] == 3


@pytest.mark.parametrize("kind", ["rows", "csv", "parquet"])
def test_a_bad_row_gets_its_own_error_and_the_others_their_answer(web: Web, kind: str, table: pa.Table) -> None:
    damaged = table.slice(0, 4).to_pylist()
    damaged[1]["NumBackers"] = None
    damaged[2]["RaisedAmount"] = -5
    answer = web.ask.post("/predict/batch", **sent_as(kind, pa.Table.from_pylist(damaged))).json()
    assert answer["rejected"] == 2
    first, second, third, fourth = answer["predictions"]
    assert "numbackers is missing" in second["error"].lower()
    assert "raisedamount is negative" in third["error"].lower()
    assert [row["row"] for row in answer["predictions"]] == [1, 2, 3, 4]
    assert first["prediction_id"] != fourth["prediction_id"]


@pytest.mark.parametrize("kind", ["rows", "csv", "parquet"])
def test_a_table_comes_back_as_it_was_with_four_columns_more(web: Web, kind: str, table: pa.Table) -> None:
    rows = [row | {"note": f"n{at}", "error": "old"} for at, row in enumerate(table.slice(0, 3).to_pylist())]
    rows[1]["GoalAmount"] = -1
    sent = sent_as(kind, pa.Table.from_pylist(rows)) if kind != "rows" else {"json": {"campaigns": rows}}
    sent["headers"] = sent.get("headers", {}) | {"accept": "text/csv"}
    answer = web.ask.post("/predict/batch", **sent)
    assert answer.headers["content-type"].startswith("text/csv")
    back = pacsv.read_csv(pa.BufferReader(answer.content))
    given = [name for name in rows[0] if name != "error"]
    assert back.column_names == [*given, "probability", "success", "model_version", "error"]
    assert back["note"].to_pylist() == ["n0", "n1", "n2"]
    assert back["CampaignID"].to_pylist() == [row["CampaignID"] for row in rows]
    assert [bool(text) for text in back["error"].to_pylist()] == [False, True, False]
    assert [value is None for value in back["probability"].to_pylist()] == [False, True, False]


def test_columns_that_a_csv_cannot_hold_are_left_out_and_named(web: Web, table: pa.Table) -> None:
    odd = table.slice(0, 2)
    odd = odd.append_column("uuid", pa.array([bytes(16)] * 2, pa.uuid()))
    odd = odd.append_column("bytes", pa.array([b"\xff\xfe"] * 2))
    odd = odd.append_column("latin", pa.array([b"Film"] * 2, pa.large_binary()))
    odd = odd.append_column("long text", pa.array(["a" * 20_001] * 2))
    odd = odd.append_column("list", pa.array([[1]] * 2))
    sent = sent_as("parquet", odd)
    sent["headers"]["accept"] = "text/csv"
    answer = web.ask.post("/predict/batch", **sent)
    back = pacsv.read_csv(pa.BufferReader(answer.content))
    assert back["uuid"].to_pylist() == ["00000000-0000-0000-0000-000000000000"] * 2
    assert back["latin"].to_pylist() == ["Film"] * 2
    assert not {"bytes", "long text", "list"} & {*back.column_names}
    assert answer.headers["x-columns-left-out"] == "bytes, list, long%20text"


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl"])
def test_json_lines_are_a_table_too(web: Web, table: pa.Table, kind: str) -> None:
    lines = "\n".join(json.dumps(row) for row in as_json(table.slice(0, 3)))
    answer = web.ask.post("/predict/batch", content=lines.encode(), headers={"content-type": kind}).json()
    same = web.ask.post("/predict/batch", **sent_as("parquet", table.slice(0, 3))).json()
    assert [row["probability"] for row in answer["predictions"]] == [row["probability"] for row in same["predictions"]]


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda text: text.replace(b",", b"\t"), lambda text: text.decode().encode("utf-16")]
)
def test_a_text_is_read_however_it_is_packed_and_written(web: Web, table: pa.Table, pack: Any) -> None:
    sent = sent_as("csv", table.slice(0, 3))
    content = pack(sent["content"])
    answer = web.ask.post("/predict/batch", content=content, headers={"content-type": "text/csv"}).json()
    same = web.ask.post("/predict/batch", **sent).json()
    assert [row["probability"] for row in answer["predictions"]] == [row["probability"] for row in same["predictions"]]


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"goal\n1\n", "text/csv", "columns GoalAmount, RaisedAmount"),
        (b"", "text/csv", "empty"),
        (b"PAR1 no more", "application/octet-stream", "not a table of campaigns"),
        (b"no parquet", "application/vnd.apache.parquet", "not a table of campaigns"),
        (b'{"rows": []}', "application/json", "is missing or not a list"),
        (b'{"campaigns": 3}', "application/json", "is missing or not a list"),
        (b"\x00\xff\x00", "text/csv", "not a text file"),
        (",".join(FILM).encode() + b'\n"20000,1\n2,3\n', "text/csv", "row 1 opens a quote that does not close"),
    ],
)
def test_what_is_no_table_of_campaigns_is_refused_whole(web: Web, content: bytes, kind: str, reason: str) -> None:
    answer = web.ask.post("/predict/batch", content=content, headers={"content-type": kind})
    assert reason in " ".join(faults(answer).values())


@pytest.mark.parametrize("kind", ["rows", "csv", "parquet"])
def test_ten_thousand_campaigns_are_enough(web: Web, kind: str) -> None:
    table = pa.Table.from_batches(synthetic.campaigns(10_001))
    assert web.ask.post("/predict/batch", **sent_as(kind, table)).status_code == 413
    answer = web.ask.post("/predict/batch", **sent_as(kind, table.slice(0, 10_000)))
    assert len(answer.json()["predictions"]) == 10_000


def test_a_table_of_another_kind_is_refused(web: Web) -> None:
    answer = web.ask.post("/predict/batch", content=b"%PDF", headers={"content-type": "application/pdf"})
    assert answer.status_code == 415


# What the service says of itself


def test_the_model_says_what_it_is_and_what_it_asks_for(web: Web) -> None:
    model = web.ask.get("/model").json()
    assert (model["name"], model["version"], model["metrics"]) == ("campaign-success", "7", {"roc_auc": 0.9})
    assert model["trained"]["when"] == "2026-11-20T10:00:00+00:00"
    assert model["leaks"] == "All."
    assert [feature["name"] for feature in model["features"]] == list(NAMES)
    goal = model["features"][0]
    assert (goal["field"], goal["low"], goal["high"], goal["known"]) == ("goalamount", 1_000, 99_999, "at launch")
    assert model["features"][4]["categories"] == ["Art", "Film", "Games", "Music", "Technology"]


def test_an_explanation_is_not_captured(web: Web) -> None:
    answer = web.ask.post("/explain", json=FILM | {"category": "film"})
    assert answer.status_code == 200
    assert answer.json()["probability"] == web.ask.post("/predict", json=FILM).json()["probability"]
    assert len(web.captured()) == 1


def test_a_report_comes_from_the_store_and_cannot_act_for_the_page(web: Web) -> None:
    web.service.store.publish("reports/day=2026-11-22/drift.html", b"<html>drift</html>")
    answer = web.ask.get("/reports/2026-11-22")
    assert answer.text == "<html>drift</html>"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_day_without_a_report_says_how_to_make_one(web: Web) -> None:
    answer = web.ask.get("/reports/2026-11-23")
    assert answer.status_code == 404
    assert "campaign monitor --day 2026-11-23" in answer.json()["detail"]


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "20261122", "2026-11-22x", "..%2F..%2Fetc"])
def test_a_report_is_asked_for_by_its_day(web: Web, day: str) -> None:
    assert web.ask.get(f"/reports/{day}").status_code in (404, 422)


def test_requests_and_predictions_are_counted(web: Web) -> None:
    wanted = ('campaign_requests_total{route="/predict",status="200"}', "campaign_predictions_total")
    before = [web.count(name) for name in wanted]
    for _ in range(3):
        web.ask.post("/predict", json=FILM)
    assert [web.count(name) for name in wanted] == [value + 3 for value in before]
    assert web.count('campaign_model_info{model="campaign-success",version="7"}') == 1


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/model", "/metrics", "/docs", "/favicon.ico", "/openapi.json"]
)
def test_head_is_answered_wherever_get_is(web: Web, path: str) -> None:
    got, head = web.ask.get(path), web.ask.head(path)
    assert (got.status_code, head.status_code) == (200, 200)
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


def test_the_page_and_the_documentation_are_served(web: Web) -> None:
    assert "<html" in web.ask.get("/").text
    assert web.ask.get("/docs").status_code == 200
    assert web.ask.get("/predict").status_code == 405
    assert web.count('campaign_requests_total{route="/predict",status="405"}') > 0
    document = web.ask.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Campaign"}
    assert set(document["components"]["schemas"]["Campaign"]["required"]) == {name.lower() for name in NAMES}


# Keys


@pytest.fixture
def locked(serve: Callable[..., Web], champion: Path) -> Web:
    web = serve(CAMPAIGN_BUNDLE=str(champion), CAMPAIGN_API_KEYS="old-key-0123456789, new-key-0123456789")
    web.service.rotation.refresh()
    return web


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"x-api-key": "old-key-0123456789"}},
        {"headers": {"authorization": "Bearer new-key-0123456789"}},
        {"auth": ("anyone", "new-key-0123456789")},
    ],
    ids=["header", "bearer", "browser"],
)
def test_each_key_opens_in_each_way(locked: Web, given: dict[str, Any]) -> None:
    assert locked.ask.post("/predict", json=FILM, **given).status_code == 200
    assert locked.ask.get("/model", **given).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"x-api-key": "old-key-012345678"}, {"x-api-key": ""}, {"authorization": "Basic ?"}]
)
def test_without_a_key_there_is_no_answer(locked: Web, headers: dict[str, str]) -> None:
    for path in ("/predict", "/predict/batch", "/explain"):
        assert locked.ask.post(path, json=FILM, headers=headers).status_code == 401
    for path in ("/model", "/reports/2026-11-22", "/metrics"):
        assert locked.ask.get(path, headers=headers).status_code == 401
    for path in ("/healthz", "/readyz"):
        assert locked.ask.get(path, headers=headers).status_code == 200


def test_a_link_that_is_followed_in_a_browser_makes_it_ask_for_the_key(locked: Web) -> None:
    answer = locked.ask.get("/reports/2026-11-22", headers={"accept": "text/html,*/*"})
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert not locked.ask.get("/model").headers["www-authenticate"].startswith("Basic")


# Without a model


def test_without_a_model_it_is_alive_not_ready_and_names_both_ways_to_give_one(
    serve: Callable[..., Web], tmp_path: Path, champion: Path
) -> None:
    web = serve(CAMPAIGN_BUNDLE=str(tmp_path / "bundle"))
    web.service.rotation.refresh()
    assert web.ask.get("/healthz").status_code == 200
    for answer in (web.ask.get("/readyz"), web.ask.post("/predict", json=FILM), web.ask.get("/model")):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "MLFLOW_TRACKING_URI" in answer.json()["detail"]
        assert "campaign champion export DIR" in answer.json()["detail"]
    champion.rename(tmp_path / "bundle")
    try:
        web.service.rotation.refresh()
        assert web.ask.post("/predict", json=FILM).status_code == 200
    finally:
        (tmp_path / "bundle").rename(champion)


def test_a_setting_that_cannot_be_is_said_in_two_sentences(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deployments.web_service"]
    environment = {"PATH": "/usr/bin", "CAMPAIGN_STORE": "ftp://there", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 2, ended.stderr


# What it is made of


def test_it_needs_no_prefect_no_scikit_learn_and_no_pandas() -> None:
    code = "import sys, deployments.web_service.__main__; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    roots = {name.partition(".")[0] for name in ended.stdout.split()}
    assert {"campaign", "fastapi"} <= roots
    assert not roots & {"prefect", "mlflow", "sklearn", "sqlalchemy", "pandas", "tasks", "flows"}


def test_the_lock_agrees_with_that_of_the_project_and_has_hashes_and_no_address() -> None:
    text, whole = (WEB / "requirements.lock").read_text(), (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^[a-z0-9].*?==[^\s;]+", text, flags=re.MULTILINE)
    assert len(packages) > 5
    assert set(packages) <= set(re.findall(r"^[a-z0-9].*?==[^\s;]+", whole, flags=re.MULTILINE))
    assert text.count("--hash=") >= len(packages)
    assert "://" not in text


def test_ctrl_c_ends_it_with_the_exit_code_of_shells(champion: Path, tmp_path: Path) -> None:
    with process(champion, tmp_path / "home") as (server, address):
        assert httpx.get(f"{address}/healthz").status_code == 200
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130


# What the answer is opened with


def test_a_text_that_a_spreadsheet_would_run_comes_back_as_a_text(web: Web, table: pa.Table) -> None:
    texts = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "plain", "-5", "+4.5", "1e-3", " 7 %"]
    notes = pa.array(texts * 30)
    sent = io.BytesIO()
    pacsv.write_csv(table.append_column("=evil()", notes), sent)
    answer = web.ask.post(
        "/predict/batch", content=sent.getvalue(), headers={"content-type": "text/csv", "accept": "text/csv"}
    )
    came = pacsv.read_csv(io.BytesIO(answer.content), convert_options=pacsv.ConvertOptions(strings_can_be_null=False))
    read = [str(value) for value in came["'=evil()"].to_pylist()[: len(texts)]]
    assert read[:5] == [f"'{text}" for text in texts[:5]]
    assert not any(text.startswith("'") for text in read[5:])
