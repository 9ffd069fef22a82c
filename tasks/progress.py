"""How far a long stage is, for whoever watches it."""

import logging

LOG = logging.getLogger("campaign.progress")
LOG.setLevel(logging.INFO)
LOG.propagate = False  # a run's own log says what came of it, not how far it is

_done: dict[str, int] = {}


def report(what: str, done: int, total: int, note: str = "") -> None:
    """Say that `done` of `total` are finished: trials, trees, pieces."""
    _done[what] = done
    LOG.info("%d of %d %s", done, total, what, extra={"progress": (what, done, total, note)})


def last_reported(what: str) -> int:
    """How many this process reported last to be finished."""
    return _done.get(what, 0)
