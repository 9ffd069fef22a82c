"""Room for tables of campaigns: what is held of them and of their answers has a limit, however slow a client is."""

from asyncio import Condition, Semaphore
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import Request

from deployments.web_service.body import body_of
from deployments.web_service.refusals import NotReady

AT_ONCE = 2  # that are worked on: each takes many times the length of its body
BODIES = 1 << 26  # bytes of bodies, in part or whole
ANSWERS = 1 << 25  # bytes of answers that are being sent, beyond which no further table is worked on
MAX_WAITING = 100
PIECE = 1 << 18
BUSY = "There are too many tables at once. Send this one again in some seconds."


class Uploads:
    """A table is received, waits for its turn, is worked on, and its answer sent."""

    def __init__(self) -> None:
        self._turns = Semaphore(AT_ONCE)
        self._changed = Condition()
        self._bodies = self._answers = self._waiting = 0

    @asynccontextmanager
    async def received(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The body of a request, of which nothing is read while half of the room is taken. Raises `Refusal`."""
        held = 0

        def count(received: int) -> None:
            nonlocal held
            held += received
            self._bodies += received
            if self._bodies > BODIES:
                raise NotReady(BUSY, 5)

        await self._wait_until(lambda: self._bodies <= BODIES // 2)
        try:
            yield await body_of(request.receive, request.headers.raw, limit, count)
        finally:
            self._bodies -= held
            await self._tell()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """While a table is worked on. Raises `NotReady` where too many wait."""
        await self._wait_until(lambda: self._answers <= ANSWERS)
        async with self._turns:
            yield

    async def answer(self, content: bytes) -> AsyncIterator[bytes]:
        """An answer in pieces, each sent when its client has taken those before."""
        self._answers += len(content)
        try:
            view = memoryview(content)
            for at in range(0, len(view), PIECE):
                yield bytes(view[at : at + PIECE])
        finally:
            self._answers -= len(content)
            await self._tell()

    async def _wait_until(self, there_is_room: Callable[[], bool]) -> None:
        if there_is_room():
            return
        if self._waiting >= MAX_WAITING:
            raise NotReady(BUSY, 5)
        self._waiting += 1
        try:
            async with self._changed:
                await self._changed.wait_for(there_is_room)
        finally:
            self._waiting -= 1

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
