"""Compile a plain loop once, and keep what the compiler made."""

import os
import shutil
from atexit import register
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any


@cache
def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code without the GIL, kept in NUMBA_CACHE_DIR or else in CAMPAIGN_HOME/cache/numba."""
    import numba

    config: Any = numba.config
    theirs = config.CACHE_DIR
    config.CACHE_DIR = cache_folder(theirs)
    try:
        return numba.njit(nogil=True, cache=True)(loop)
    except RuntimeError:  # no folder can be written to
        return numba.njit(nogil=True)(loop)
    finally:
        config.CACHE_DIR = theirs


@cache
def cache_folder(given: str) -> str:
    """Where machine code is kept. One that cannot be written to is copied, for numba would take nothing from there."""
    if not given:
        return str(Path(os.environ.get("CAMPAIGN_HOME") or ".campaign", "cache", "numba").absolute())
    if Path(given).is_dir() and not os.access(given, os.W_OK):
        with suppress(OSError):  # no place for a copy: compiled anew, in seconds
            copy = mkdtemp(prefix="numba-")
            register(shutil.rmtree, copy, ignore_errors=True)
            shutil.copytree(given, copy, dirs_exist_ok=True)
            return copy
    return given
