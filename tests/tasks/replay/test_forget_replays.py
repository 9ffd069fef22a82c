import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaign.schema_file import NAME
from campaign.settings import Settings
from tasks.replay import FOLDER
from tasks.replay.forget import forget_replays
from tests.made_up_history import TOML

PLACES = ("base/campaigns.parquet", "incoming/day=2024-03-01/campaigns.parquet")


@pytest.fixture
def replays(own_home):
    """Two replays of two courses: P1 ended before the first began, P2 was launched in it, P9 is of the other one."""
    folders = [Settings().home / FOLDER / name for name in ("mine", "other")]
    for folder, campaigns in zip(folders, (("P1", "P2"), ("P8", "P9")), strict=True):
        for course in ("never", "called"):
            for place, campaign_id in zip(PLACES, campaigns, strict=True):
                path = folder / course / "store" / place
                path.parent.mkdir(parents=True)
                pq.write_table(pa.table({"ID": ["P0" + folder.name, campaign_id]}), path)
        (folder / NAME).write_text(TOML)
        (folder / "replay.html").write_text("a page")
    return folders


@pytest.mark.parametrize("campaign_id", ["P1", "P2"])
def test_the_courses_that_hold_a_campaign_go_and_the_page_and_the_other_replay_stay(replays, campaign_id):
    mine, other = replays
    assert forget_replays(campaign_id) == [mine]
    assert sorted(path.name for path in mine.iterdir()) == sorted([NAME, "replay.html"])
    assert sorted(path.name for path in other.iterdir()) == sorted([NAME, "called", "never", "replay.html"])
    assert forget_replays(campaign_id) == []


def test_nobody_is_in_no_replay(replays):
    assert forget_replays("P3") == []
    assert all((folder / "never").exists() for folder in replays)


def test_where_nothing_was_replayed_nothing_is_forgotten(own_home):
    assert forget_replays("P1") == []
