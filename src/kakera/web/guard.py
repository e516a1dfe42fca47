"""What reaches the server at all: this page's own requests, of a size and in a time that are bounded."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kakera.errors import sentence
from kakera.web.refusals import refusal
from kakera.web.shelf import MOST_BYTES

MOST_SECONDS = 30.0  # for a body to arrive
DRAINED = 8 * MOST_BYTES  # so much of a body that is too large is taken, unread, so that the refusal arrives
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
    """Middleware. A page of another origin can neither read nor send; nor can one whose name points here.

    (A name of somebody else's that resolves to this machine would make his page count as this origin.)
    """

    def __init__(self, app: ASGIApp, host: str, most_seconds: float = MOST_SECONDS) -> None:
        self.app, self.most_seconds = app, most_seconds
        self.names, self.open = own_names(host), not is_local(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self._refused(Headers(scope=scope))
        if refused is not None:
            await refused(scope, receive, sealed)
            return
        try:
            with anyio.fail_after(self.most_seconds):
                body = await _body(receive)
        except TimeoutError:
            await _refuse(408, "body", "too slow a request", f"all of it in {self.most_seconds:g} s")(
                scope, receive, sealed
            )
            return
        if body is None:
            await _refuse(413, "body", "too large a request", f"at most {MOST_BYTES >> 20} MiB")(
                scope, receive, sealed
            )
            return
        await self.app(scope, _replayed(body, receive), sealed)

    def _refused(self, headers: Headers) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._ours(host):
            return _refuse(403, "host", host[:80] or "none", "this machine's own name")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return _refuse(403, "origin", (origin or "another site")[:80], "this page's own")
        return None

    def _ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or (self.open and _is_address(name))


def own_names(host: str) -> frozenset[str]:
    """What the server may be called: beyond the loopback also by the machine's name, and by any address."""
    if is_local(host):
        return LOCAL | {host}
    return LOCAL | {host, socket.gethostname(), socket.getfqdn()}


def is_local(host: str) -> bool:
    """Whether only this machine can reach an address."""
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


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where it is too large."""
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= DRAINED:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= MOST_BYTES:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if size <= MOST_BYTES else None


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(iter(messages), None) or await receive()

    return again
