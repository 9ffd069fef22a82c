"""The model in service, ready for one campaign at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.batch import Batch
from campaign.checking import Checker
from campaign.encoding import MISSING_CATEGORY, MISSING_NUMBER, UNKNOWN_CATEGORY
from campaign.model import ScoringModel
from campaign.raw import RawBatch
from campaign.schema import ID
from deployments.web_service.background import background_of
from deployments.web_service.refusals import NotUnderstood
from deployments.web_service.request import CampaignRequest


@dataclass(frozen=True)
class LiveModel:
    """Never changed: a new champion is another object. `checked` counts the recorded predictions it agrees with.

    `background` are the rows that explanations start from, as the model sees them.
    """

    model: ScoringModel
    checked: int
    reference: pa.Table | None = None
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    request: CampaignRequest = field(init=False)
    background: NDArray[np.float32] = field(init=False)
    # A feature's name, the code of each name if it is a category, and what stands for a missing value.
    plan: tuple[tuple[str, dict[str, int] | None, float], ...] = field(init=False)
    has_derived: bool = field(init=False)

    def __post_init__(self) -> None:
        encoder = self.model.encoder
        codes = {
            name: dict(zip(known, encoder.code_of_each(name).tolist(), strict=True))
            for name, known in encoder.categories.items()
        }
        plan = tuple(
            (column.name, codes.get(column.name), MISSING_CATEGORY if column.is_category else MISSING_NUMBER)
            for column in encoder.features
        )
        set_once = object.__setattr__
        set_once(self, "plan", plan)
        set_once(self, "has_derived", any(column.derive for column in encoder.features))
        set_once(self, "request", CampaignRequest(self.model.schema))
        set_once(self, "background", background_of(self.model, self.reference))

    @property
    def version(self) -> str:
        return self.model.version

    @cached_property
    def baseline(self) -> float:
        """The mean probability of the background."""
        return float(self.model.predict(self.background).mean())

    @property
    def check_result(self) -> str:
        """What was checked before it came into service, as a clause."""
        if not self.checked:
            return "no recorded predictions at hand to check it against"
        return f"in agreement with {self.checked:,} recorded predictions"

    def row(self, campaign: Mapping[str, Any]) -> tuple[list[float], list[str]]:
        """What the predictor sees of a campaign, and the features with a category that training never saw.

        Raises `NotUnderstood` where a derived column cannot be computed.
        """
        if self.has_derived:
            matrix = self.model.encoder.encode(self.batch_of([campaign]))
            return matrix[0].tolist(), [name for name, n in self.model.encoder.count_unknown(matrix).items() if n]
        row, unknown = [], []
        for name, codes, missing in self.plan:
            value = campaign.get(name)
            if value is None:
                value = missing
            elif codes is not None:
                code = codes.get(value)
                if code is None:  # most clients spell a category as the schema does
                    code = self._code(name, value)
                    if code == UNKNOWN_CATEGORY:
                        unknown.append(name)
                value = code
            row.append(value)
        return row, unknown

    def score(self, campaign: Mapping[str, Any]) -> tuple[float, list[str]]:
        """Probability of success, and the features with a category that training never saw."""
        row, unknown = self.row(campaign)
        return float(self.model.predict(np.array([row], np.float32))[0]), unknown

    def batch_of(self, campaigns: Sequence[Mapping[str, Any]]) -> Batch:
        """Checked campaigns as the rows of a file. Raises `NotUnderstood` for the first that is none."""
        batch = self.checked_batch(campaigns)
        for reasons in batch.reasons.values():
            raise NotUnderstood([("body", "; ".join(reasons))])
        return batch

    def checked_batch(self, campaigns: Sequence[Mapping[str, Any]]) -> Batch:
        """The same, with the reasons why rows are none."""
        schema = self.model.schema
        arrays: dict[str, pa.Array] = {}
        for asked in self.request.fields:
            kind = pa.float64() if asked.kind == "number" else pa.string()
            name = asked.column.in_file if asked.column else asked.key
            arrays[name] = pa.array([campaign.get(asked.key) for campaign in campaigns], kind)
        arrays[ID] = pa.array([campaign.get(ID) for campaign in campaigns], pa.string())
        return Checker(schema, schema.features, "the request").check(RawBatch(pa.RecordBatch.from_pydict(arrays)), 0)

    def _code(self, name: str, text: str) -> int:
        wanted = self.request.canonical_category(name, text).casefold()
        return self.model.encoder.codes_by_word(name).get(wanted, UNKNOWN_CATEGORY)
