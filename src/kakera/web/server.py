"""`kakera serve`: start the explorer on this machine."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import torch
import uvicorn
from fastapi import FastAPI

from kakera.errors import OptionError
from kakera.training.malloc import few_arenas
from kakera.training.recipes import build as build_options
from kakera.web.app import build
from kakera.web.connections import ACCEPTED, Connection, Server, most_connections
from kakera.web.guard import is_local
from kakera.web.serve_args import ServeArgs
from kakera.web.serve_options import ServeOptions


def serve(models: Sequence[str | Path], **options: Unpack[ServeArgs]) -> None:
    """Start the explorer for the run folders `models` and answer requests until Ctrl-C.

    `options` are the fields of `ServeOptions`.

    Raises RunError if a run cannot be opened, DataError if no picture can be read, and OptionError for an
    invalid option or an address that is not free.

    Example:

        >>> serve(["runs/mae", "runs/classifier"], port=8421)  # doctest: +SKIP
        http://127.0.0.1:8421/ : open this address in a browser; Ctrl-C stops the server
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
    torch.set_num_threads(1)  # each computation uses one core, so that several requests run side by side
    answer_requests(app, asked, "the explorer", most)


def answer_requests(app: FastAPI, asked: ServeOptions, what: str, most: int) -> None:
    """Answer the requests to `app` until Ctrl-C, with at most `most` connections; print the address.

    `what` is the name of the server in a note. Raises OptionError for an address that is not free.

    Example:

        >>> answer_requests(build(["runs/mae"]), ServeOptions(), "the explorer", 512)  # doctest: +SKIP
        http://127.0.0.1:8421/ : open this address in a browser; Ctrl-C stops the server
    """
    with _listen(asked) as listening:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        if not is_local(asked.host):
            print(f"note: other machines can use {what}, since it listens on {asked.host}")
        print(f"http://{shown}:{port}/ : open this address in a browser; Ctrl-C stops the server", flush=True)
        config = uvicorn.Config(
            app,
            http=type("Bounded", (Connection,), {"most": most}),
            ws="none",
            backlog=ACCEPTED,
            log_level="critical",  # errors of clients go into their answers, not into the log
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
            do="choose another --port, or 0 for a free port",
        ) from error
