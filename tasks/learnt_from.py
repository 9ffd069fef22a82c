"""Who still knows a campaign: versions that learnt from it, and data sets outside the store."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from campaign.errors import CampaignError
from campaign.identity import digests_of
from campaign.model import LEARNT, REFERENCE
from campaign.schema import ID, Schema
from campaign.settings import Settings
from campaign.store import filesystem_of
from tasks.forget import find_places
from tasks.model_versions import CHAMPION, Version, files_of, find_champion, list_versions, load_version


def forget_gathered(campaign_id: str) -> int:
    """Delete the gathered data sets that hold a campaign: a training makes them anew. Gives how many."""
    found = [path for path in (Settings().cache / "datasets").glob(f"*/{LEARNT}") if _holds(np.load(path), campaign_id)]
    for path in found:
        shutil.rmtree(path.parent)
    return len(found)


def versions_that_learnt(model: str, campaign_id: str) -> list[str]:
    """In words: each version that learnt from a campaign, or was judged on it, and whether it keeps the row itself."""
    champion, described = find_champion(model), []
    for version in reversed(list_versions(model)):
        with suppress(CampaignError):  # one that is lost
            if told := _what_it_holds(version, campaign_id):
                is_champion = champion is not None and champion.number == version.number
                described.append(f"version {version.number}{f', the {CHAMPION},' * is_champion} {told}")
    return described


def data_sets_elsewhere(model: str, schema: Schema, campaign_id: str) -> list[str]:
    """Local data sets outside the store, which are their owner's to mend, with the row where the campaign is."""
    origins = [Settings().dataset]
    if champion := find_champion(model):
        with suppress(CampaignError):
            origins.append(str(load_version(champion).about.get("origin", "")))
    local = [origin for origin in origins if origin and "://" not in origin.removeprefix("file://")]
    found = []
    for path in dict.fromkeys(filesystem_of(origin)[1] for origin in local):
        if Path(path).as_uri().startswith(Settings().store):
            continue
        with suppress(CampaignError):  # moved, or of another kind
            if rows := find_places(path, schema, campaign_id).rows:
                found.append(f"{path}, row {rows[0] + 1:,}")
    return found


def _what_it_holds(version: Version, campaign_id: str) -> str:
    folder = files_of(version)
    learnt = (folder / LEARNT).exists() and _holds(np.load(folder / LEARNT), campaign_id)
    ids = pq.read_table(folder / REFERENCE, columns=[ID]).column(0).combine_chunks().cast(pa.string())
    kept = _holds(digests_of(ids), campaign_id)
    return " and ".join(["was fitted or judged on it"] * bool(learnt) + ["keeps its row among its test rows"] * kept)


def _holds(digests: np.ndarray, campaign_id: str) -> bool:
    return bool((digests == digests_of(pa.array([campaign_id]))[0]).any())
