"""Compile a plain loop once, and keep what the compiler made."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


@cache
def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code without the GIL, kept in NUMBA_CACHE_DIR or else in CAMPAIGN_HOME/cache/numba."""
    import numba

    config: Any = numba.config
    theirs = config.CACHE_DIR
    ours = Path(os.environ.get("CAMPAIGN_HOME") or ".campaign", "cache", "numba").absolute()
    config.CACHE_DIR = theirs or str(ours)
    try:
        return numba.njit(nogil=True, cache=True)(loop)
    except RuntimeError:  # no folder can be written to
        return numba.njit(nogil=True)(loop)
    finally:
        config.CACHE_DIR = theirs
