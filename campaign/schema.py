"""The one table of columns: what a campaign is made of, and when each value becomes known.

Validation, encoding, the generator, the web service's request model, the MLflow signature, the drift report and the
table in README all derive from it: a new column is a new line here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from campaign.errors import BadInput

FeatureSet = Literal["published", "launch"]
Known = Literal["at launch", "while running", "at the end"]

ID = "CampaignID"
LABEL = "IsSuccessful"
MAX_NUMBER = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Column:
    """One feature. `low` and `high` (both inclusive) and `categories` are what the published data shows.

    They belong to the generator and the documentation. Validation knows physics only (`positive`: more than zero; else
    zero or more), so that a shifted world reaches the drift report and not the quarantine.
    """

    name: str
    known: Known
    meaning: str
    unit: str = ""
    low: int = 0
    high: int = 0
    positive: bool = False
    categories: tuple[str, ...] = ()

    @property
    def is_category(self) -> bool:
        return bool(self.categories)

    @property
    def arrow_type(self) -> pa.DataType:
        """Of the values in files that this project writes."""
        return pa.string() if self.is_category else pa.float64()

    def is_possible(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which numbers physics allows in this column: there, finite in float32, and more than zero, or not less."""
        return (values > 0 if self.positive else values >= 0) & (values <= MAX_NUMBER)


MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

FEATURES: tuple[Column, ...] = (
    Column("GoalAmount", "at launch", "money asked for", "currency units", 1_000, 99_999),
    Column("RaisedAmount", "at the end", "money pledged so far", "currency units", 500, 149_999),
    Column("DurationDays", "at launch", "how long the campaign runs", "days", 15, 89, positive=True),
    Column("NumBackers", "at the end", "people who pledged", "people", 10, 1_999),
    Column("Category", "at launch", "what it is about", categories=("Art", "Film", "Games", "Music", "Technology")),
    Column("LaunchMonth", "at launch", "month of launch", categories=MONTHS),
    Column("Country", "at launch", "where its owner lives", categories=("Australia", "Canada", "Germany", "UK", "USA")),
    Column("Currency", "at launch", "currency of the amounts", categories=("AUD", "CAD", "EUR", "GBP", "USD")),
    Column("OwnerExperience", "at launch", "campaigns its owner ran before", "campaigns", 0, 19),
    Column("VideoIncluded", "at launch", "whether it shows a video", categories=("No", "Yes")),
    Column("SocialMediaPresence", "at launch", "followers of its owner", "followers", 100, 99_999),
    Column("NumUpdates", "while running", "updates posted so far", "updates", 0, 49),
)
NAMES: tuple[str, ...] = tuple(column.name for column in FEATURES)
NUMBERS: tuple[str, ...] = tuple(column.name for column in FEATURES if not column.is_category)
CATEGORIES: tuple[str, ...] = tuple(column.name for column in FEATURES if column.is_category)
BY_NAME: dict[str, Column] = {column.name: column for column in FEATURES}

MODEL = "campaign-success"


def features_of(feature_set: str) -> tuple[Column, ...]:
    """The columns that a model of this feature set may see, in published order.

    Raises `BadInput` for an unknown feature set.
    """
    if feature_set == "published":
        return FEATURES
    if feature_set == "launch":
        return tuple(column for column in FEATURES if column.known == "at launch")
    raise BadInput(f"There is no feature set {feature_set!r}.", "Say published (all) or launch (known at launch).")


def model_name(feature_set: str) -> str:
    """Name of the MLflow experiment and of the registered model."""
    features_of(feature_set)
    return MODEL if feature_set == "published" else f"{MODEL}-{feature_set}"


def match_header(found: Iterable[str], wanted: Iterable[str], source: str) -> dict[str, str]:
    """Where each wanted column stands in a file, matched without regard to case or outer spaces: {wanted: found}.

    Columns that nobody wants are ignored. Raises `BadInput` naming every missing column, or one that is there twice.
    """
    found = list(found)
    spelled: dict[str, list[str]] = {}
    for name in found:
        spelled.setdefault(str(name).strip().casefold(), []).append(name)
    wanted = list(wanted)
    missing = [name for name in wanted if name.casefold() not in spelled]
    if missing:
        many = len(missing) > 1
        raise BadInput(
            f"{source}: {'columns' if many else 'column'} {', '.join(missing)} {'are' if many else 'is'} missing "
            f"(found: {', '.join(map(str, found)) or 'none'}).",
            "Add them, or rename the columns that hold them."
            if many
            else "Add it, or rename the column that holds it.",
        )
    for name in wanted:
        if len(spelled[name.casefold()]) > 1:
            raise BadInput(
                f"{source}: column {name} is there {len(spelled[name.casefold()])} times "
                f"({', '.join(spelled[name.casefold()])}).",
                "Keep one of them.",
            )
    return {name: spelled[name.casefold()][0] for name in wanted}
