"""A day whose outcomes have come, as far as it can be learnt from."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from campaign.errors import BadInput, NoRows
from campaign.identity import SeenIds, digests_of
from campaign.reading import read_campaigns
from campaign.schema import Schema
from tasks.labelled_days import LabelledDay
from tasks.outcome_ids import do_not_join, ids_of_outcomes, why_unjoined
from tasks.outcomes import NO_DIGESTS, NO_OUTCOME, Outcomes, count_outcome_rows
from tasks.training.gathering import Gathering


@dataclass
class GatheredDay:
    """Outcome rows that are of the day's campaigns, and those that are not or cannot be read; `bad` campaigns, which
    scoring quarantined; of the others, the share for which an outcome row has come; what there is to say of the day."""

    day: str
    joined: int = 0
    unjoined: int = 0
    bad: int = 0
    outcomes_share: float = 0.0
    remarks: list[str] = field(default_factory=list)


def add_day(gathering: Gathering, day: LabelledDay, schema: Schema, kept: Collection[str]) -> GatheredDay:
    """Rows without an outcome wait for theirs. A file that cannot be read costs its own rows alone."""
    gathered = GatheredDay(day.day)
    # Counted before they are read: what comes meanwhile is still new.
    rows = count_outcome_rows(day.outcomes, schema)
    seen, outcomes, found = SeenIds(), Outcomes.read(day.outcomes, schema), [NO_DIGESTS]
    good = came = 0
    gathered.remarks += [f"{day.day} is learnt from without {cause}" for cause in outcomes.unread.values()]
    for uri in day.campaigns:
        try:
            for batch in read_campaigns(uri, schema, seen=seen, kept=kept):
                label = outcomes.of(batch.ids)
                gathering.add(batch, label, batch.good & (label != NO_OUTCOME), day.day)
                gathered.bad += int((~batch.good).sum())
                digests = digests_of(batch.ids)
                has_row = outcomes.has_row(digests)
                found.append(digests[has_row])
                good, came = good + int(batch.good.sum()), came + int((batch.good & has_row).sum())
        except NoRows:
            continue
        except BadInput as error:  # what was read of it is as good as other rows
            gathered.remarks.append(f"{day.day} is learnt from in part: {error.cause}")
    gathered.outcomes_share = came / good if good else 0.0
    unjoined = outcomes.campaigns - len(np.unique(np.concatenate(found)))
    if do_not_join(unjoined, outcomes.campaigns):
        campaigns, theirs = _ids_of(day, schema), ids_of_outcomes(day.outcomes, schema)
        gathered.remarks.append(why_unjoined(day.day, unjoined, outcomes.campaigns, campaigns, theirs))
    gathered.unjoined = unjoined + outcomes.unread_rows
    gathered.joined = rows - gathered.unjoined
    return gathered


def _ids_of(day: LabelledDay, schema: Schema) -> Iterator[pa.StringArray]:
    for uri in day.campaigns:
        with suppress(BadInput):
            yield from (batch.ids for batch in read_campaigns(uri, schema, ()))
