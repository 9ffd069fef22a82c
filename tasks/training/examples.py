"""The rows that a search fits on and chooses by, and where whoever takes part in it finds them."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.encoding import Encoder
from campaign.schema import Schema
from campaign.schema_file import schema_of
from campaign.store import Store
from tasks.sampling import sample_rows
from tasks.training.encode import Part, Parts
from tasks.training.prepare_rows import Prepared, Rows, prepare_rows
from tasks.training.row_times import cut_at
from tasks.training.search_space import Recipe

# Of what is fitted, and of what is judged on: by then losses are known to three decimals, and no trial takes long.
SEARCH_ROWS = 500_000


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows to fit on, and rows that no fit sees, to choose by. `by_time`: the latter are the latest."""

    schema: Schema
    fitted: Rows
    judged: Rows
    by_time: bool
    _prepared: dict[tuple[bool, float | None], tuple[Prepared, NDArray[np.float32]]] = field(
        default_factory=dict, init=False
    )

    @property
    def knows_time(self) -> bool:
        return self.fitted.times is not None

    def prepared(self, recipe: Recipe) -> tuple[Prepared, NDArray[np.float32]]:
        """The rows to fit on as a recipe's trees see them, and the rows to judge on; made once for all trials."""
        key = (recipe["linear"], recipe["half_life"])
        if key not in self._prepared:
            made = prepare_rows(self.fitted, recipe)
            self._prepared[key] = made, made.recode(self.judged.X)
        return self._prepared[key]


def examples_of(parts: Parts) -> Examples:
    """Where time is known: fitted are train rows of before a cut, judged train and validation rows of the latest fifth.

    Else train and validation rows. At most SEARCH_ROWS each, an even sample; the test part is not among them.
    """
    labels, times = labels_and_times(parts, "train", "validation")
    train = np.arange(len(labels)) < len(parts.labels("train"))
    cut = cut_at(times, labels)
    by_time = cut is not None and len(np.unique(labels[cut.earlier & train])) == 2
    which = (cut.earlier & train, cut.later) if cut is not None and by_time else (train, ~train)
    fitted, judged = (rows_at(parts, side, SEARCH_ROWS, "train", "validation") for side in which)
    return Examples(parts.schema, fitted, judged, by_time)


def labels_and_times(parts: Parts, *names: Part) -> tuple[NDArray[np.int8], NDArray[np.float64] | None]:
    """Of all rows of several parts, one part after the other."""
    times = [of_part for of_part in map(parts.times, names) if of_part is not None]
    return np.concatenate([parts.labels(name) for name in names]), np.concatenate(times) if times else None


def rows_at(parts: Parts, which: NDArray[np.bool_], most: int, *names: Part) -> Rows:
    """These rows of several parts, or an even sample of `most` of them, the same each time."""
    labels, times = labels_and_times(parts, *names)
    at = np.flatnonzero(which)
    at = at[sample_rows(len(at), most)]
    taken, start = [], 0
    for name in names:
        matrix = parts.matrix(name)  # mapped from disk: what is not taken is not read
        first, last = np.searchsorted(at, [start, start + len(matrix)])
        taken.append(matrix[at[first:last] - start])
        start += len(matrix)
    return Rows(parts.encoder, np.concatenate(taken), labels[at], None if times is None else times[at])


def publish_examples(examples: Examples, store: Store, path: str) -> None:
    """Put them where whoever searches finds them."""
    archive = io.BytesIO()
    arrays: dict[str, NDArray[Any]] = {}
    for side, rows in (("fitted", examples.fitted), ("judged", examples.judged)):
        arrays |= {f"{side}_X": rows.X, f"{side}_y": rows.y}
        arrays |= {} if rows.times is None else {f"{side}_times": rows.times}
    said = {
        "schema": examples.schema.to_table(),
        "encoder": examples.fitted.encoder.to_json(),
        "by_time": examples.by_time,
    }
    np.savez(archive, allow_pickle=False, said=np.array(json.dumps(said)), **arrays)
    store.publish(path, archive.getvalue())


def load_examples(store: Store, path: str) -> Examples:
    """What `publish_examples` put there."""
    with np.load(io.BytesIO(store.read(path))) as arrays:
        said = json.loads(str(arrays["said"]))
        schema = schema_of(said["schema"], path)
        encoder = Encoder.from_json(schema.features, said["encoder"])
        fitted, judged = (
            Rows(encoder, arrays[f"{side}_X"], arrays[f"{side}_y"], arrays.get(f"{side}_times"))
            for side in ("fitted", "judged")
        )
        return Examples(schema, fitted, judged, bool(said["by_time"]))
