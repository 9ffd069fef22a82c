"""The command line as a person uses it: a process of its own, with a Prefect server of its own."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL
from typer.testing import CliRunner

from campaign.errors import BadInput
from campaign.store import Store
from flows import cli
from flows.training import training
from tasks.synthetic_days import write_campaigns, write_training_data
from tests.published import PUBLISHED_TOML

CAMPAIGN = Path(sys.executable).parent / "campaign"


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CAMPAIGN, *words], env=environment, capture_output=True, text=True, timeout=240)


def test_help_lists_the_commands(environment):
    output = run(environment, "--help").stdout
    assert all(name in output for name in ("demo", "traffic", "train", "score", "monitor", "champion"))


def test_the_shell_completes_commands(environment):
    typed = {"_CAMPAIGN_COMPLETE": "complete_bash", "COMP_WORDS": "campaign s", "COMP_CWORD": "1"}
    assert run(environment | typed).stdout.split() == ["score", "status"]


def test_help_imports_nothing_heavy():
    script = "import sys, flows.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"prefect", "mlflow", "pandas", "sklearn", "optuna", "evidently", "pyarrow"} & set(loaded)


@pytest.fixture
def said(own_home, prefect_api, monkeypatch, capsys):
    """What `campaign` says as it ends with exit code 1, in this process, which has a Prefect server."""
    for name in ("answer_interrupts", "prepare", "keep_logs_back"):
        monkeypatch.setattr(cli, name, lambda: None)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # as `prepare` has it

    def type_in(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["campaign", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return said.err

    return type_in


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "nothere.parquet"), "nothere.parquet"),
        (("train", "--feature-set", "early"), "launch (what is known at launch), running"),
        (("champion", "set", "7"), "no version 7"),
        (("champion", "export", str(CAMPAIGN)), "is a file"),
        (("traffic", "--drift", "0"), "--drift above 0"),
    ],
)
def test_what_is_to_be_mended_is_said(said, words, message):
    assert message in said(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "--seed", "-1"), "should be greater than or equal to 0"),
        (("traffic", "--rows", "0"), "should be greater than or equal to 1"),
        (("score", "--day", "22-11-2026"), "can be read in two ways"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(own_home, monkeypatch, words, message):
    monkeypatch.setattr(cli, "prepare", lambda: None)
    ended = CliRunner().invoke(cli.app, words)
    assert ended.exit_code == 2
    assert message in re.sub(r"[\s│]+", " ", ended.output)
    assert not own_home.exists()


@pytest.mark.parametrize(
    ("variable", "address", "named"),
    [
        ("MLFLOW_TRACKING_URI", "http://me:secret@{nobody}", "MLflow at http://{nobody} does not answer."),
        ("CAMPAIGN_METRICS_URL", "postgresql://me:secret@{nobody}/x", "A database ("),
    ],
)
def test_a_server_that_is_not_there_is_said_in_a_sentence(said, own_home, monkeypatch, variable, address, named):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    write_campaigns(Store((own_home / "store").as_uri()), datetime.now(UTC).date(), 50, 1.0)
    monkeypatch.setenv(variable, address.format(nobody=nobody))
    message = said("score")
    assert f"NotAnswering: {named.format(nobody=nobody)}" in message
    assert "secret" not in message


def test_so_is_a_prefect_that_is_not_there(environment, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/api"
    write_campaigns(Store((tmp_path / "home/store").as_uri()), datetime.now(UTC).date(), 50, 1.0)
    ended = run(environment | {"PREFECT_API_URL": address}, "score")
    assert ended.returncode == 1
    assert f"NotAnswering: Prefect's API at {address} does not answer." in ended.stderr
    assert "Traceback" not in ended.stderr


NAMED_BEHIND = """
import os, sys
from flows import cli
def make_home():
    print("prefect" in sys.modules)
    from prefect.settings import get_current_settings
    print(get_current_settings().server.database.connection_url.get_secret_value(), os.environ["CAMPAIGN_HOME"])
    sys.exit(0)
cli.make_home = make_home
cli.main()
"""


def test_a_home_that_is_named_behind_the_command_has_everything(environment, tmp_path, monkeypatch):
    """Prefect's database too, as it is not imported yet. The folder that it is typed in stays as it is."""
    environment |= {"CAMPAIGN_HOME": str(tmp_path / "elsewhere")}
    (tmp_path / "typed-in").mkdir()
    words = [sys.executable, "-c", NAMED_BEHIND, "traffic", "--home", str(tmp_path / "mine")]
    said = subprocess.check_output(words, env=environment, text=True, cwd=tmp_path / "typed-in").splitlines()
    assert said == ["False", f"sqlite+aiosqlite:///{tmp_path}/mine/prefect/prefect.db {tmp_path}/mine"]
    assert [*tmp_path.iterdir()] == [tmp_path / "typed-in"]


def trials(home: Path) -> dict[int, str]:
    with closing(sqlite3.connect(home / "optuna.db")) as studies:
        return dict(studies.execute("SELECT number, state FROM trials"))


def test_a_search_that_is_killed_goes_on_where_it_stopped(environment, own_home, prefect_api, tmp_path):
    home = own_home
    data = write_training_data(Store(f"file://{tmp_path}"), 5_000).uri
    command = [CAMPAIGN, "train", data, "--trials", "8"]
    environment |= {"PREFECT_API_URL": PREFECT_API_URL.value()}
    killed = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    while not (home / "optuna.db").exists() or not is_at_a_fourth_trial(home):
        assert killed.poll() is None, "the search was over before it could be killed"
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    before = trials(home)
    interrupted = [number for number, state in before.items() if state == "RUNNING"]
    training(data, trials=8)
    after = trials(home)
    finished = [number for number, state in after.items() if state in ("COMPLETE", "PRUNED")]
    assert len(finished) == 8
    assert all(after[number] == state for number, state in before.items() if number not in interrupted)
    assert [after[number] for number in interrupted] == ["FAIL"] * len(interrupted)
    with closing(sqlite3.connect(home / "mlflow.db")) as runs:
        names = [name for (name,) in runs.execute("SELECT name FROM runs")]
    assert sum(name.startswith("training-") for name in names) == 1
    assert sum(name.startswith("trial-") for name in names) == 8


def is_at_a_fourth_trial(home: Path) -> bool:
    """Whether three are finished, and a process has put its name to another one."""
    try:
        states = list(trials(home).values())
        with closing(sqlite3.connect(home / "optuna.db")) as studies:
            [(signed,)] = studies.execute(
                "SELECT count(*) FROM trials JOIN trial_user_attributes USING (trial_id) "
                "WHERE state = 'RUNNING' AND key = 'worker'"
            )
    except sqlite3.OperationalError:  # the tables are being made
        return False
    return states.count("COMPLETE") + states.count("PRUNED") >= 3 and signed > 0


@pytest.fixture
def command_line(monkeypatch, tmp_path):
    """`campaign` in this process, with a training that takes no time; gives the homes and schemas that it had."""
    import flows.training
    from campaign.schema_file import served_model
    from tasks.training.promote import Verdict

    trained = []

    def training(*arguments, **options):
        trained.append((os.environ["CAMPAIGN_HOME"], served_model()))
        return Verdict("1", True, "the first version", "")

    monkeypatch.setattr(flows.training, "training", training)
    monkeypatch.setattr(cli, "prepare", lambda: None)
    monkeypatch.setattr(cli, "stages_shown", lambda *_: nullcontext())
    for name in ("CAMPAIGN_HOME", "CAMPAIGN_SCHEMA"):
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
    (tmp_path / "mine.toml").write_text(PUBLISHED_TOML.replace('name = "campaign-success"', 'name = "mine"'))
    (tmp_path / "home").mkdir()
    return trained


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "behind it"])
def test_a_schema_that_is_named_serves_the_training_and_becomes_the_homes_own(command_line, tmp_path, before):
    home = ["--home", str(tmp_path / "home")]
    words = ["train", "data.csv", "--schema", str(tmp_path / "mine.toml")]
    ended = CliRunner().invoke(cli.app, [*home, *words] if before else [*words, *home])
    assert ended.exit_code == 0, ended.output
    assert command_line == [(str(tmp_path / "home"), "mine")]
    assert (tmp_path / "home/campaign.toml").read_text() == (tmp_path / "mine.toml").read_text()
    assert "Version 1 is champion: the first version." in ended.output


def test_a_schema_with_a_fault_is_refused_before_anything_is_trained(command_line, tmp_path):
    (tmp_path / "mine.toml").write_text("[model]\nname = 3\n")
    with pytest.raises(BadInput, match=r"mine\.toml: "):
        CliRunner().invoke(cli.app, ["train", "--schema", str(tmp_path / "mine.toml")], catch_exceptions=False)
    assert command_line == []
    assert not (tmp_path / "home/campaign.toml").exists()
