"""Send requests to an address over some connections for some seconds, as fast as it answers; prints the result as JSON.

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
        self.send_request()

    def send_request(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, separator, body = self.received.partition(HEAD_END)
        if not separator:
            return
        lower = head.lower()
        if len(body) < int(lower[lower.index(LENGTH) + len(LENGTH) :].split(b"\r\n", 1)[0]):
            return
        self.received = b""
        if self.load.record_answer(head.split(b" ", 2)[1] == b"200", self.began):
            self.send_request()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.load.close_connection()


class Load:
    def __init__(self, port: int, path: str, connections: int, seconds: float, body: bytes) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        )
        self.request = head.encode() + HEAD_END + body
        self.port, self.connections, self.seconds = port, connections, seconds
        self.latencies: list[float] = []
        self.failed = 0

    async def run(self) -> dict[str, float]:
        """Requests/s, median and 99th percentile in seconds, and answers that were not 200."""
        loop = asyncio.get_running_loop()
        self.open_connections, self.closed = self.connections, loop.create_future()
        self.start = time.perf_counter()
        for _ in range(self.connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        await self.closed
        duration, latencies = time.perf_counter() - self.start, sorted(self.latencies)
        return {
            "requests": len(latencies),
            "rate": len(latencies) / duration,
            "p50": latencies[len(latencies) // 2],
            "p99": latencies[len(latencies) * 99 // 100],
            "failed": self.failed,
        }

    def record_answer(self, good: bool, began: float) -> bool:
        """Count an answer; gives whether to send another request."""
        now = time.perf_counter()
        self.latencies.append(now - began)
        self.failed += not good
        return now - self.start < self.seconds

    def close_connection(self) -> None:
        self.open_connections -= 1
        if self.open_connections == 0:
            self.closed.set_result(None)


if __name__ == "__main__":
    port, path, connections, seconds = sys.argv[1:]
    load = Load(int(port), path, int(connections), float(seconds), sys.stdin.buffer.read())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(load.run())))
