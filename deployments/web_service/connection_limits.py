"""An HTTP connection that ends when its client takes too long to say what it wants, or says too much before it."""

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

REQUEST_SECONDS = 30.0  # from a request's first byte (or the connection) to the end of its body
HEAD_BYTES = 1 << 16


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn itself waits for ever for a request to end, and keeps a head of any length."""

    began: float | None = None  # while a request is coming in
    in_head = True
    body_bytes = other_bytes = 0
    body_in_piece = 0  # of what was received last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.began = self.loop.time()
        self.loop.call_later(REQUEST_SECONDS, self._check_time)

    def data_received(self, data: bytes) -> None:
        self.body_in_piece = 0
        super().data_received(data)
        if self.began is None:
            return
        self.other_bytes += len(data) - self.body_in_piece
        if self.in_head and self.other_bytes > HEAD_BYTES:
            self._refuse(431)
        elif self.other_bytes > HEAD_BYTES + self.body_bytes:  # chunks of a few bytes, or trailers without end
            self._refuse(413)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.began, self.in_head, self.body_bytes, self.other_bytes = self.loop.time(), True, 0, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """What comes behind a body in chunks says nothing that is asked for here, and is kept nowhere."""
        if self.in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        self.body_in_piece += len(body)
        super().on_body(body)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.began = None

    def _check_time(self) -> None:
        # One timer a connection, and none a request: timers cost.
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self.began is not None and now - self.began >= REQUEST_SECONDS:
            self._refuse(408)
            return
        self.loop.call_later(REQUEST_SECONDS - (now - self.began if self.began is not None else 0), self._check_time)

    def _refuse(self, status: int) -> None:
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
