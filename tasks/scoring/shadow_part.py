"""What the challenger predicts of a piece, written while the champion scores it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType

from campaign.batch import Batch
from campaign.errors import CampaignError
from campaign.identity import digests_of
from campaign.model import PARQUET_OPTIONS, PREDICTIONS, ScoringModel
from campaign.scoring import parquet_file
from campaign.store import Store
from tasks.manifest import Part
from tasks.sampling import is_in_sample


@dataclass(frozen=True)
class ShadowPiece:
    """The part that was written and how many successes it foretells, or the fault for which there is none."""

    part: Part
    successful: int
    fault: str = ""


class ShadowPart:
    """Scores one in `every` campaigns with the challenger into a file, which appears whole at the end of the block.

    Whatever goes wrong is kept as the `fault`, and nothing more is scored: the champion's predictions of the same
    batches do not suffer from it.
    """

    def __init__(self, store: Store, path: str, challenger: ScoringModel, every: int = 1) -> None:
        self.fault, self._every = "", every
        self._uri, self._challenger = store.at(path), challenger
        self._rows, self._successful = 0, 0
        self._file = ExitStack()
        with self._keeping_faults():
            opened = self._file.enter_context(parquet_file(store, path, PREDICTIONS, PARQUET_OPTIONS))
            self._sink, self._writer = opened

    def __enter__(self) -> ShadowPart:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._abandon(error)
        elif not self.fault:
            with self._keeping_faults():
                self._file.close()

    def beside(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches, each scored on its way."""
        for batch in batches:
            if not self.fault:
                with self._keeping_faults():
                    self._score(batch)
            yield batch

    def score(self, batches: Iterable[Batch]) -> None:
        """Score batches that nobody else reads; what is wrong with reading them is a fault, too."""
        if not self.fault:
            with self._keeping_faults():
                for batch in batches:
                    self._score(batch)

    def result(self) -> ShadowPiece:
        sha256 = "" if self.fault else self._sink.sha256
        return ShadowPiece(Part(self._uri, sha256, self._rows), self._successful, self.fault)

    def _score(self, batch: Batch) -> None:
        wanted = is_in_sample(digests_of(batch.ids.fill_null("")), self._every) if self._every > 1 else None
        predictions, _ = self._challenger.predictions_of(batch, wanted=wanted)
        self._writer.write_batch(predictions)
        self._rows += len(predictions)
        self._successful += int(predictions["success"].to_numpy().sum())

    @contextmanager
    def _keeping_faults(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of whatever kind: a broken model may raise anything
            self.fault = error.cause if isinstance(error, CampaignError) else f"{type(error).__name__}: {error}"
            self._abandon(error)

    def _abandon(self, error: BaseException) -> None:
        """Close the file so that it does not appear."""
        with suppress(Exception):
            self._file.__exit__(type(error), error, error.__traceback__)
