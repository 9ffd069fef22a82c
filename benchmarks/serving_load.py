"""Ask one address over some connections for some seconds, as fast as it answers: a JSON line of what was measured.

`python serving_load.py PORT PATH CONNECTIONS SECONDS < body`. Raw sockets on uvloop, one request at a time each: a
client library would cost more than what it measures.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

HEAD_END, LENGTH = b"\r\n\r\n", b"content-length:"


class Connection(asyncio.Protocol):
    """Sends the request, waits for its answer, sends it again."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.received = b""
        self.began = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(HEAD_END)
        if not found:
            return
        lower = head.lower()
        if len(body) < int(lower[lower.index(LENGTH) + len(LENGTH) :].split(b"\r\n", 1)[0]):
            return
        self.received = b""
        if self.load.note(head.split(b" ", 2)[1] == b"200", self.began):
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.load.gone()


class Load:
    def __init__(self, port: int, path: str, connections: int, seconds: float, body: bytes) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        )
        self.request = head.encode() + HEAD_END + body
        self.port, self.connections, self.seconds = port, connections, seconds
        self.took: list[float] = []
        self.failed = 0

    async def run(self) -> dict[str, float]:
        """Requests/s, median and 99th percentile in seconds, and answers that were not 200."""
        loop = asyncio.get_running_loop()
        self.left, self.over = self.connections, loop.create_future()
        self.start = time.perf_counter()
        for _ in range(self.connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        await self.over
        lasted, took = time.perf_counter() - self.start, sorted(self.took)
        return {
            "requests": len(took),
            "rate": len(took) / lasted,
            "p50": took[len(took) // 2],
            "p99": took[len(took) * 99 // 100],
            "failed": self.failed,
        }

    def note(self, good: bool, began: float) -> bool:
        """Whether to go on."""
        now = time.perf_counter()
        self.took.append(now - began)
        self.failed += not good
        return now - self.start < self.seconds

    def gone(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.over.set_result(None)


if __name__ == "__main__":
    port, path, connections, seconds = sys.argv[1:]
    load = Load(int(port), path, int(connections), float(seconds), sys.stdin.buffer.read())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(load.run())))
