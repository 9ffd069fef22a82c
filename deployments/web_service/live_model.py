"""The model in service, ready for one campaign at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from campaign.encoding import UNKNOWN_CATEGORY
from campaign.model import ScoringModel
from deployments.web_service.request import canonical_category


@dataclass(frozen=True)
class LiveModel:
    """Never changed: a new champion is another object. `checked` counts the recorded predictions it agrees with."""

    model: ScoringModel
    checked: int
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    # A feature's name and, if it is a category, the code of each name that training saw.
    plan: tuple[tuple[str, dict[str, int] | None], ...] = field(init=False)

    def __post_init__(self) -> None:
        categories = self.model.encoder.categories
        codes = {name: {text: code for code, text in enumerate(known)} for name, known in categories.items()}
        plan = tuple((column.name, codes.get(column.name)) for column in self.model.encoder.features)
        object.__setattr__(self, "plan", plan)

    @property
    def version(self) -> str:
        return self.model.version

    @property
    def check_result(self) -> str:
        """What was checked before it came into service, as a clause."""
        if not self.checked:
            return "no recorded predictions at hand to check it against"
        return f"in agreement with {self.checked:,} recorded predictions"

    def row(self, campaign: Mapping[str, Any]) -> tuple[list[float], list[str]]:
        """What the forest sees of a campaign, and the features with a category that training never saw."""
        row, unknown = [], []
        for name, codes in self.plan:
            value = campaign[name]
            if codes is not None:
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

    def _code(self, name: str, text: str) -> int:
        wanted = canonical_category(name, text).casefold()
        known = self.model.encoder.categories[name]
        return next((code for code, category in enumerate(known) if category.casefold() == wanted), UNKNOWN_CATEGORY)
