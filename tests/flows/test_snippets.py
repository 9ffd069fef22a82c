"""What README and docs/ say to type works, on a made-up file with the columns of the one that they speak of."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.made_up_projects import make_projects
from flows import cli

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
IN_THE_PAGES = re.compile(r"2026-11-2[28]")


def snippets(page: str, language: str) -> list[str]:
    """The blocks of a page in one language, with today for the day that they speak of."""
    found = [code for name, code in FENCED.findall((ROOT / page).read_text()) if name == language]
    return [IN_THE_PAGES.sub(str(datetime.now(UTC).date()), code) for code in found]


def write_projects(path: Path) -> None:
    """As many as a test can wait for, as Kaggle's file has them: what is known at the end among the rest."""
    rng = np.random.default_rng(1)
    projects = make_projects(2_400)
    won = projects["state"] == "successful"
    projects["pledged"] = np.round(projects["goal"] * np.where(won, 1 + rng.random(len(won)), rng.random(len(won))), 2)
    projects["backers"] = (projects["pledged"] / 50).astype(int)
    projects.to_csv(path, index=False)


class Typist:
    """Types lines into a shell; a `campaign` is the command line in this process, which has started already."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch, self.assigned = folder, patch, list[str]()
        patch.chdir(folder)

    def type(self, lines: str) -> str:
        return "".join(map(self._line, lines.splitlines()))

    def _line(self, line: str) -> str:
        if exported := re.search(r"^export CAMPAIGN_HOME=(\S+)", line):
            self.patch.setenv("CAMPAIGN_HOME", exported[1])
        if re.match(r"(export )?\w+=", line):
            self.assigned.append(line)
            return ""
        if line.startswith("campaign "):
            ended = CliRunner().invoke(cli.app, shlex.split(line, comments=True)[1:], catch_exceptions=False)
            assert ended.exit_code == 0, ended.output
            return ended.output
        return subprocess.check_output(["bash", "-e", "-c", "\n".join([*self.assigned, line])], text=True)


@pytest.fixture(scope="module")
def typist(prefect_api: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typist]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CAMPAIGN_STORE", "CAMPAIGN_METRICS_URL", "CAMPAIGN_OPTUNA_URL", "CAMPAIGN_DATASET"):
            patch.delenv(name, raising=False)  # another module's world may have set them for the session
        for name in ("prepare", "keep_logs_back"):
            patch.setattr(cli, name, lambda: None)
        folder = tmp_path_factory.mktemp("snippets")
        write_projects(folder / "projects.csv")
        yield Typist(folder, patch)


@pytest.fixture(scope="module")
def said(typist: Typist) -> str:
    """What was said as *Your own campaigns* was typed from beginning to end."""
    typed = "\n".join(snippets("docs/own-campaigns.md", "bash"))
    assert typed.count("\ncampaign ") == 5
    typed = typed.replace("head -8999", "head -1399")  # the last thousand rows are not learnt from
    return typist.type(typed.replace("campaign train", "campaign train --trials 2").replace("make web", "true"))


def test_ones_own_campaigns_come_as_far_as_the_page_says(said):
    assert re.search(r"pledged +number +at the end", said)
    assert "Outcome: state; success is successful, failure failed." in said
    assert "Next: campaign --home .campaign-kickstarter train kickstarter.csv" in said
    assert "Version 1 is champion: the first version." in said
    assert "Expect a ROC-AUC of about" in said
    today = datetime.now(UTC).date()
    assert re.search(rf"{today}: \d+ rows, 0 quarantined, version 1", said)
    assert re.search(rf"{today}: \w+, prediction drift 0\.\d+, drifted columns .*, ROC-AUC 0\.\d+", said)
    assert re.search(r"ROC-AUC -, (estimated 0\.\d+ \(99\.9% interval|no estimate: )", said)


def test_predictions_are_read_as_the_page_says(said, typist):
    (code,) = snippets("docs/command-line.md", "python")
    names: dict[str, object] = {}
    exec(code.replace(".campaign/", ".campaign-kickstarter/"), names)
    assert len(names["predictions"]) == names["manifest"]["rows"]["scored"] > 0


def test_readme_begins_in_the_same_way(said, typist):
    (typed,) = [code for code in snippets("README.md", "bash") if "campaign init" in code]
    trained_above = typed.replace("campaigns.csv", "kickstarter.csv").replace("campaign train", "true")
    assert re.search(r"^Next +campaign train$", typist.type(trained_above), re.MULTILINE)
