"""How much of a day's predictions is kept: whoever may ask shall not fill the store."""

import logging

from campaign.store import Store

LOOK_AGAIN = 60  # parts, after which what other processes wrote is counted anew

log = logging.getLogger("campaign.web")


class Quota:
    """Bytes of each day, those of other processes and of an earlier start included."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store, self._limit = store, limit
        self._day = ""
        self._bytes = self._parts = 0
        self._is_used_up = False

    def has_room(self, folder: str) -> bool:
        """Whether more is kept in the folder of this day. Raises `StoreError`."""
        if folder != self._day:
            self._day, self._parts, self._is_used_up = folder, 0, False
        if self._parts % LOOK_AGAIN == 0:
            self._bytes = sum(entry.size for entry in self._store.entries(folder))
        self._parts += 1
        if self._bytes < self._limit:
            return True
        if not self._is_used_up:
            log.warning("%s holds %s bytes, as many as CAMPAIGN_CAPTURE_QUOTA allows: more is counted, and not kept",
                        folder, f"{self._bytes:,}")  # fmt: skip
        self._is_used_up = True
        return False

    def add(self, size: int) -> None:
        """Bytes that were written to that folder."""
        self._bytes += size
