"""Connections that cost nothing: deadlines for headers and for readers, and a bound on how many are open.

uvicorn bounds neither how long a client may take to send its headers nor how long it may take to read.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0  # from the connection, or the first byte of another request, to the end of its headers
READER_SECONDS = 30.0  # that a client may take before it reads on
HALT = 0.5  # seconds without a byte of a body
KEPT_FREE = 14  # files that may still be opened beside connections and what is open at first
ACCEPTED = 4  # connections that are taken at a time, before any of them can be refused
TURNS = 4  # of the event loop, until a refused one is closed
QUEUE = 128  # connections that the system keeps until they are taken
MOST, LEAST = 512, 8  # connections
BUSY = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 5\r\n"
    b"connection: close\r\ncontent-length: 79\r\n\r\n"
    b'{"detail": "server: got too many connections, expected fewer; ask again later"}'
)


class Connection(H11Protocol):
    """One client. Where too many are open, the one that has been waited for longest has to go."""

    most = MOST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """As asyncio has it."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._since = self._last = time.monotonic()
        if len(self.connections) > self.most:
            others = [
                other
                for other in self.connections
                if isinstance(other, Connection) and other is not self and other._awaited()
            ]
            if not others:
                transport.write(BUSY)
                transport.close()
                return
            min(others, key=lambda other: other._since)._end()
        self._within(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        if self._idle() and self._deadline is None:
            self._since = time.monotonic()
            self._within(HEADER_SECONDS)
        self._last = time.monotonic()
        super().data_received(data)
        if not self._idle():
            self._within(None)

    def pause_writing(self) -> None:
        """As asyncio has it: the client does not read."""
        super().pause_writing()
        self._within(READER_SECONDS)

    def resume_writing(self) -> None:
        """As asyncio has it: it does again."""
        self._within(None)
        super().resume_writing()

    def _idle(self) -> bool:
        """Whether no request is being answered."""
        return not self.cycle or self.cycle.response_complete  # there is none before the first request

    def _awaited(self) -> bool:
        """Whether the server waits for a request, or for more of one that has come to a halt."""
        silent = time.monotonic() - self._last > HALT
        return self._idle() or (self.cycle.more_body and not self.flow.read_paused and silent)

    def _within(self, seconds: float | None) -> None:
        """End the connection after so long; None calls that off."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self.connections.discard(self)
        self.transport.abort()


def most_connections() -> int:
    """How many may be open at the same time: what the limit of open files leaves."""
    try:
        import resource

        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if files == resource.RLIM_INFINITY:
            return MOST
        files -= len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names alone
    except (ImportError, OSError):  # Windows, macOS
        return MOST // 4
    return max(LEAST, min(MOST, files - KEPT_FREE - TURNS * ACCEPTED))


class Server(uvicorn.Server):
    """uvicorn's, whose queue of connections is longer than what it takes at a time."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn has it."""
        await super().startup(sockets)
        for one in sockets or []:
            one.listen(QUEUE)
