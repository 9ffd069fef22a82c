"""HTTP connections: how long one may wait for its client, what it may keep, and who goes when all are taken."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from deployments.web_service import prometheus

REQUEST_SECONDS = 30.0  # from a request's first byte (or the connection) to the end of its body
ANSWER_SECONDS = 60.0  # for a client to take what was sent
HEAD_BYTES = 1 << 16
MAX_CONNECTIONS = 900  # then the one that has waited for its client for longest is closed
MAX_PER_ADDRESS = 100
MAX_PIPELINED = 16  # requests that are sent before earlier ones are answered
HEALTH = b"/healthz"
REFUSED = "campaign.refused"  # in a request's scope: the status that was answered while it still came in


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn itself waits for ever for a request to end, and keeps a head of any length."""

    began: float | None = None  # while a request is coming in
    since: float = 0.0  # when this connection began to wait for its client
    unread: RequestResponseCycle | None = None  # whose answer was not taken when that was last looked at
    unread_since = 0.0
    in_head = True
    body_bytes = other_bytes = 0
    body_in_piece = 0  # of what was received last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.began = self.since = self.loop.time()
        self.loop.call_later(REQUEST_SECONDS, self._check_time)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()
        if self._is_one_too_many():
            self._refuse(429)

    def data_received(self, data: bytes) -> None:
        self.body_in_piece = 0
        super().data_received(data)
        if len(self.pipeline) > MAX_PIPELINED:
            self._refuse(429)
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
        # Whether it is alive may be asked when all connections are taken by requests that are being answered.
        self.limit_concurrency = None if self.url.partition(b"?")[0] == HEALTH else self.config.limit_concurrency
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            prometheus.requests.labels(prometheus.NO_ROUTE, "503").inc()  # by uvicorn itself
        super().on_headers_complete()
        self.in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.began = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.since = self.loop.time()

    @property
    def is_waiting(self) -> bool:
        """Whether it is its client's turn: nothing, or not all, of a request has come."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _make_room(self) -> None:
        others = cast(Any, self.connections)
        waiting = [other for other in others if other is not self and other.is_waiting]
        if waiting:
            min(waiting, key=lambda other: other.since).transport.abort()

    def _is_one_too_many(self) -> bool:
        """Whether its address has more than its share of all connections, where that is known."""
        app, others = cast(Any, self.app), cast(Any, self.connections)
        of_peer = app.state.service.addresses.of_peer
        address = of_peer(self.client[0]) if self.client else None
        if address is None:
            return False
        return (
            sum(other.client is not None and of_peer(other.client[0]) == address for other in others) > MAX_PER_ADDRESS
        )

    def _check_time(self) -> None:
        # One timer a connection, and none a request: timers cost.
        is_unread = self.transport.get_write_buffer_size() > 0
        if self.transport.is_closing() and not is_unread:
            return
        now = self.loop.time()
        if self.began is not None and now - self.began >= REQUEST_SECONDS:
            self._refuse(408)
            self.began = None
        if not is_unread:
            self.unread = None
        elif self.unread is None or self.unread is not self.cycle:
            self.unread, self.unread_since = self.cycle, now
        elif now - self.unread_since >= ANSWER_SECONDS:
            self.transport.abort()
            return
        self.loop.call_later(REQUEST_SECONDS - (now - self.began if self.began is not None else 0), self._check_time)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP."""
        prometheus.requests.labels(prometheus.NO_ROUTE, "400").inc()
        super().send_400_response(msg)

    def _refuse(self, status: int) -> None:
        if self.transport.is_closing():
            return
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered or self.pipeline:
            prometheus.requests.labels(prometheus.NO_ROUTE, str(status)).inc()
        else:  # its route counts it when it finds that nothing more comes
            cast(Any, self.cycle.scope)[REFUSED] = status
        if is_answered or not self.cycle.response_started:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
