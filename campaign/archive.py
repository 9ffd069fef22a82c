"""Arrays as a model keeps them: an .npz archive, of which nothing is believed that it says of itself."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaign.errors import ModelMismatch

MAX_BYTES = 1 << 30  # of all arrays together: some forty million nodes
REMEDY = "Train and register a model with this version of the project."


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """The same arrays leave the same bytes."""
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_arrays(path: str | os.PathLike[str], kind: str, wanted_format: int) -> dict[str, NDArray[Any]]:
    """All arrays but `format`.

    Raises OSError if the file cannot be opened, and ModelMismatch if it is another format, or no such archive, or would
    take more than a gigabyte once it is inflated.
    """
    with Path(path).open("rb") as file:
        try:
            with zipfile.ZipFile(file) as members:
                # A member is never inflated beyond the size that its archive says.
                inflated = sum(member.file_size for member in members.infolist())
            if inflated > MAX_BYTES:
                raise ValueError(f"it inflates to {inflated:,} bytes")
            with np.load(file, allow_pickle=False) as archive:
                if archive["format"] != wanted_format:
                    raise ValueError(f"its format is {archive['format']}, not {wanted_format}")
                return {name: archive[name] for name in archive.files if name != "format"}
        except Exception as error:  # a damaged archive raises nearly anything
            raise not_one(path, kind, error) from error


def not_one(path: str | os.PathLike[str], kind: str, error: Exception) -> ModelMismatch:
    return ModelMismatch(f"{path}: this is no {kind} to score with ({error}).", REMEDY)
