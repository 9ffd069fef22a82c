"""Columns of a Parquet body, decoded by a process that may die of it."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from threading import Lock

import pyarrow as pa

from campaign.errors import BadInput
from deployments.web_service import parquet_process
from deployments.web_service.parquet_process import DECODED, MAX_BYTES, SOURCE, TOO_LARGE
from deployments.web_service.refusals import TooLarge

SECONDS = 10.0  # for one body
MAX_ANSWER = 2 * MAX_BYTES  # what a stream adds to its values is far less
ENVIRONMENT = {  # one thread, and memory that is given back
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "OPENBLAS_NUM_THREADS": "1",
}

log = logging.getLogger("campaign.web")


class ParquetDecoder:
    """One process, kept warm, for one body at a time; whoever comes meanwhile waits. It is replaced when it dies."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Connection | None = None

    def start(self) -> None:
        """Takes no time: the process gets ready by itself."""
        own, its = socket.socketpair()
        with its:
            self._channel = Connection(own.detach())
            command = [sys.executable, "-m", parquet_process.__name__, str(its.fileno())]
            self._process = subprocess.Popen(
                command,
                env=os.environ | ENVIRONMENT,
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for whoever started it
            )

    def stop(self) -> None:
        if self._process is not None and self._channel is not None:
            self._channel.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def read(self, body: bytes, choose: Callable[[dict[str, bool]], list[str]]) -> pa.Table:
        """The columns that are chosen of those that are there, each with whether it can be decoded at all.

        One with bytes that are no text is left out. Raises `TooLarge` and `BadInput`, and what `choose` raises.
        """
        with self._turn:
            if self._process is None or self._process.poll() is not None:
                self.stop()
                self.start()
            try:
                return self._ask(body, choose)
            except (EOFError, OSError) as error:
                log.warning("A Parquet body ended the process that decodes such bodies (%r)", error)
                self.stop()
                self.start()
                raise TooLarge(f"{SOURCE}: it takes more memory or time than a request has.") from error

    def _ask(self, body: bytes, choose: Callable[[dict[str, bool]], list[str]]) -> pa.Table:
        assert self._channel is not None
        self._channel.send_bytes(body)
        names = json.loads(self._answer())
        try:
            wanted = choose(names)
        except Exception:
            self._channel.send_bytes(b"")
            raise
        self._channel.send_bytes(json.dumps(wanted).encode())
        return pa.ipc.open_stream(self._answer()).read_all()

    def _answer(self) -> bytes:
        assert self._channel is not None
        if not self._channel.poll(SECONDS):
            raise TimeoutError(f"no answer within {SECONDS:.0f} s")
        answer = self._channel.recv_bytes(MAX_ANSWER)
        kind, content = answer[:1], answer[1:]
        if kind == TOO_LARGE:
            raise TooLarge(f"{SOURCE}: {content.decode()}")
        if kind != DECODED:
            reason = f"it is damaged or truncated and cannot be read as Parquet ({content.decode()})."
            raise BadInput(f"{SOURCE}: {reason}", "Write it again.")
        return content
