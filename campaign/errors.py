"""One family of errors: a sentence of cause, a sentence of remedy."""


class CampaignError(Exception):
    """Something that a user can mend. `str()` gives both sentences; the command line prints them and exits 1."""

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause = cause
        self.remedy = remedy
        super().__init__(cause, remedy)

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"


class BadInput(CampaignError):
    """A file, a column or a value that cannot be read as campaigns."""


class NoRows(BadInput):
    """A file that has columns and no row."""


class NothingDecided(BadInput):
    """A file whose outcomes are none of the words that decide."""


class NoChampion(CampaignError):
    """The registry has no champion to score with."""


class StoreError(CampaignError):
    """The object store cannot be read or written; nothing half-written is visible."""


class ModelMismatch(CampaignError):
    """A registered model that this version of the project cannot score with."""
