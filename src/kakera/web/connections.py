"""Connections with deadlines for headers and for reading, and with a limit on their number.

uvicorn limits neither the time in which a client sends its headers nor the time in which it reads an answer.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0  # from the connection, or the first byte of another request, to the end of its headers
READER_SECONDS = 30.0  # the longest pause of a client that reads an answer
HALT = 0.5  # seconds without a byte of a body, after which a request counts as paused
KEPT_FREE = 14  # files reserved for other uses than connections and the files open at the start
ACCEPTED = 4  # connections accepted at a time, before any of them can be refused
TURNS = 4  # turns of the event loop until a refused connection is closed
QUEUE = 128  # connections that wait in the operating system until the server accepts them
MOST, LEAST = 512, 8  # limits of the number of connections
BUSY = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 5\r\n"
    b"connection: close\r\ncontent-length: 79\r\n\r\n"
    b'{"detail": "server: got too many connections, expected fewer; ask again later"}'
)


class Connection(H11Protocol):
    """One client. If too many connections are open, the server closes the one that has waited longest."""

    most = MOST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count the connection, refuse it if too many are open, and start the header deadline (asyncio)."""
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
        """Cancel the deadline (asyncio)."""
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive bytes; start the header deadline with a request, cancel it after its headers (asyncio)."""
        if self._idle() and self._deadline is None:
            self._since = time.monotonic()
            self._within(HEADER_SECONDS)
        self._last = time.monotonic()
        super().data_received(data)
        if not self._idle():
            self._within(None)

    def pause_writing(self) -> None:
        """Start the reader deadline, since the client does not read (asyncio)."""
        super().pause_writing()
        self._within(READER_SECONDS)

    def resume_writing(self) -> None:
        """Cancel the reader deadline, since the client reads again (asyncio)."""
        self._within(None)
        super().resume_writing()

    def _idle(self) -> bool:
        """Return True if the server is answering no request."""
        return not self.cycle or self.cycle.response_complete  # `cycle` is None before the first request

    def _awaited(self) -> bool:
        """Return True if the server waits for a request, or for the rest of a paused one."""
        silent = time.monotonic() - self._last > HALT
        return self._idle() or (self.cycle.more_body and not self.flow.read_paused and silent)

    def _within(self, seconds: float | None) -> None:
        """End the connection after `seconds`; None cancels the deadline."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self.connections.discard(self)
        self.transport.abort()


def most_connections() -> int:
    """Return the largest number of open connections that the limit of open files allows, from 8 to 512."""
    try:
        import resource

        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if files == resource.RLIM_INFINITY:
            return MOST
        files -= len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # only names are needed
    except (ImportError, OSError):  # Windows, macOS
        return MOST // 4
    return max(LEAST, min(MOST, files - KEPT_FREE - TURNS * ACCEPTED))


class Server(uvicorn.Server):
    """A uvicorn server that accepts few connections at a time and lets more of them wait."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the server, then lengthen the queue of its sockets (uvicorn)."""
        await super().startup(sockets)
        for one in sockets or []:
            one.listen(QUEUE)
