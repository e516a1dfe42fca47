"""`kakera serve`: the explorer on this machine."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import torch
import uvicorn

from kakera.errors import OptionError
from kakera.training.malloc import few_arenas
from kakera.training.recipes import build as build_options
from kakera.web.app import build
from kakera.web.connections import ACCEPTED, Connection, Server, most_connections
from kakera.web.guard import is_local
from kakera.web.serve_args import ServeArgs
from kakera.web.serve_options import ServeOptions


def serve(models: Sequence[str | Path], **options: Unpack[ServeArgs]) -> None:
    """Answer until Ctrl-C. `options` are the fields of `ServeOptions`.

    Raises RunError, DataError, and OptionError, also for an address that cannot be had.
    """
    asked = build_options(ServeOptions, {**options})
    allowed = [name.strip() for name in asked.allow_host.split(",") if name.strip()]
    root = asked.root_path.strip("/")
    most = most_connections()
    app = build(
        models,
        pictures=asked.pictures,
        host=asked.host,
        allowed=allowed,
        root_path=f"/{root}" if root else "",
        queue=most // 3,
    )
    few_arenas()
    torch.set_num_threads(1)  # several ask at once: each computation has a core of its own
    with _listen(asked) as listening:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        if not is_local(asked.host):
            print(f"{asked.host} is not this machine alone: whoever reaches it can use the explorer")
        print(f"http://{shown}:{port}/ : open it in a browser; Ctrl-C ends", flush=True)
        config = uvicorn.Config(
            app,
            http=type("Bounded", (Connection,), {"most": most}),
            ws="none",
            backlog=ACCEPTED,
            log_level="critical",  # what clients do wrong is told to them
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        Server(config).run([listening])


def _listen(options: ServeOptions) -> socket.socket:
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((options.host, options.port), family=family)
    except OSError as error:
        raise OptionError(
            "address",
            got=f"{options.host}, port {options.port} ({error})",
            expected="a free port of this machine",
            do="choose another --port, or 0",
        ) from error
