"""A campaign that is forgotten is in no replay either."""

import shutil
from pathlib import Path

from campaign.schema_file import NAME, read_schema
from campaign.settings import Settings
from tasks.forget import find_places
from tasks.replay import FOLDER


def forget_replays(campaign_id: str) -> list[Path]:
    """Delete the courses of the replays that hold a campaign; their pages stay, which name none. Gives their folders.

    A replay is played anew from the file that it is of, which is its owner's to mend.
    """
    found = [folder.parent for folder in sorted((Settings().home / FOLDER).glob(f"*/{NAME}"))]
    found = [folder for folder in found if _holds(folder, campaign_id)]
    for folder in found:
        for store in folder.glob("*/store"):
            shutil.rmtree(store.parent)
    return found


def _holds(folder: Path, campaign_id: str) -> bool:
    schema = read_schema(str(folder / NAME))
    files = [*folder.glob("*/store/base/*.parquet"), *folder.glob("*/store/incoming/*/*.parquet")]
    return any(find_places(str(file), schema, campaign_id).rows for file in files)
