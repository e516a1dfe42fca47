"""The options of `serve` as keyword arguments, for editors and type checkers."""

from __future__ import annotations

from typing import TypedDict


class ServeArgs(TypedDict, total=False):
    """Where the explorer is found, and what it shows at first."""

    host: str
    """The address to listen on; any other than this machine's own lets others in."""
    port: int
    """The port; 0 takes a free one."""
    pictures: str
    """What to choose from: a folder, a file or a built-in name; empty takes what the models learned from."""
    allow_host: str
    """Names by which a proxy's visitors call this server, joined by commas; others are refused."""
    root_path: str
    """The path below which a proxy shows this server, such as /kakera; open it with / at the end."""
