"""The guard of the server: it accepts only requests of its own page, of limited size and duration."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kakera.errors import sentence
from kakera.web.errors import refusal
from kakera.web.store import MOST_BYTES

MOST_SECONDS = 30.0  # for a body to arrive
STALLED_SECONDS = 5.0  # the longest pause within a body
UPLOADS = "/api/pictures"
MOST_JSON = 1 << 20  # bytes of any other body: masks are short
SMALL = 1 << 16  # bytes: a body up to this size does not wait
AT_A_TIME = 6  # larger bodies that are read at the same time
QUEUE = 128  # larger bodies that may wait
PATIENCE = 60.0  # seconds that a larger body may wait
DRAINED = (
    8 * MOST_BYTES
)  # bytes of a too large body to read and drop, so that the client receives the refusal
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Middleware that refuses requests of other sites, also under a foreign host name of this machine.

    Such a host name would give a page of another site the origin of this server (DNS rebinding). `allowed`
    are further host names by which visitors call the server, for example behind a proxy.

    Example:

        >>> async def app(scope, receive, send): ...
        >>> guard = Guard(app, "localhost", allowed=["Explorer.example.org"])
        >>> "explorer.example.org" in guard.names
        True
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        allowed: Collection[str] = (),
        root_path: str = "",
        queue: int = QUEUE,
        most_seconds: float = MOST_SECONDS,
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self.app, self.most_seconds, self.stalled_seconds = app, most_seconds, stalled_seconds
        self.allowed = frozenset(name.lower() for name in allowed)
        self.names, self.open = own_names(host) | self.allowed, not is_local(host)
        self.root_path, self.queue = root_path, queue
        self.large = anyio.CapacityLimiter(AT_A_TIME)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope, head = self._below_root(scope), scope["method"] == "HEAD"

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        headers = Headers(scope=scope)
        refused = self._refused(headers)
        if refused is not None:
            await refused(scope, receive, sealed)
        elif _announced(headers) > SMALL:
            await self._in_turn(scope, receive, sealed)
        else:
            await self._answer({**scope, "method": "GET"} if head else scope, receive, sealed)

    def _below_root(self, scope: Scope) -> Scope:
        """Return the scope with the path that visitors see, also if the proxy has removed its own prefix."""
        path = scope["path"]
        if not path.startswith(f"{self.root_path}/"):
            path = self.root_path + path
        return {**scope, "root_path": self.root_path, "path": path}

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a large body after a short wait: at most AT_A_TIME are in memory."""
        try:
            if self.large.statistics().tasks_waiting >= self.queue:
                raise TimeoutError
            with anyio.fail_after(PATIENCE):
                await self.large.acquire()
        except TimeoutError:
            await _refuse(429, "server", "too many large uploads at once", "fewer")(scope, receive, send)
            return
        try:
            await self._answer(scope, receive, send)
        finally:
            self.large.release()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = MOST_BYTES if scope["path"] == self.root_path + UPLOADS else MOST_JSON
        try:
            with anyio.fail_after(self.most_seconds):
                body = await _body(receive, most, self.stalled_seconds)
        except TimeoutError:
            expected = f"all of it in {self.most_seconds:g} s, without a pause of {self.stalled_seconds:g} s"
            await _refuse(408, "body", "a request that is too slow", expected)(scope, receive, send)
            return
        if body is None:
            expected = f"at most {most >> 20} MiB"
            await _refuse(413, "body", "a request that is too large", expected)(scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)

    def _refused(self, headers: Headers) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._ours(host):
            return _refuse(403, "host", host[:80] or "none", "a host name of this machine")
        foreign = origin is not None and not self._same(origin, host)
        if foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return _refuse(403, "origin", (origin or "another site")[:80], "the origin of this page")
        return None

    def _same(self, origin: str, host: str) -> bool:
        """Return True if `origin` is that of this page; a proxy may have changed the name in `host`."""
        try:
            parts = urlsplit(origin)
            return parts.netloc == host or parts.hostname in self.allowed
        except ValueError:
            return False

    def _ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or (self.open and _is_address(name))


def _announced(headers: Headers) -> int:
    """Return the length of the body in bytes from the headers; DRAINED, the largest value, if unknown."""
    if "transfer-encoding" in headers:
        return DRAINED
    length = headers.get("content-length", "0")
    return int(length) if re.fullmatch("[0-9]{1,18}", length, re.ASCII) else DRAINED


def own_names(host: str) -> frozenset[str]:
    """Return the host names that the server accepts.

    A server that other machines can reach also accepts the name of this machine and any IP address.

    Example:

        >>> sorted(own_names("127.0.0.1"))
        ['127.0.0.1', '::1', 'localhost']
    """
    if is_local(host):
        return LOCAL | {host}
    return LOCAL | {host, socket.gethostname(), socket.getfqdn()}


def is_local(host: str) -> bool:
    """Return True if only this machine can reach the address `host`.

    Example:

        >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0")
        (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refuse(status: int, subject: str, got: str, expected: str) -> Response:
    detail = sentence(
        subject, got=got, expected=expected, do="open the page at its own address and try again"
    )
    return refusal(status, detail)


async def _body(receive: Receive, most: int, stalled_seconds: float) -> bytes | None:
    """Return the whole body, or None if it is too large.

    Raises TimeoutError after `stalled_seconds` without data.
    """
    body = bytearray()
    size, more = 0, True
    while more and size <= DRAINED:
        with anyio.fail_after(stalled_seconds):
            message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= most:
            body += part
        else:
            body.clear()
        more = message.get("more_body", False)
    return bytes(body) if size <= most else None


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(iter(messages), None) or await receive()

    return again
