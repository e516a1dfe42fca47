"""The options of `serve` as typed keyword arguments, for editors and type checkers."""

from __future__ import annotations

from typing import TypedDict


class ServeArgs(TypedDict, total=False):
    """The address of the explorer, and its sample pictures."""

    host: str
    """address to listen on; with any but 127.0.0.1, localhost or ::1, other machines can connect"""
    port: int
    """port to listen on; 0 chooses a free port"""
    pictures: str
    """sample pictures: a folder, a file or a built-in name; empty takes the training data of the models"""
    allow_host: str
    """further host names of visitors, such as behind a proxy, separated by commas; others are refused"""
    root_path: str
    """path below which a proxy shows this server, such as /kakera; open it with / at the end"""
