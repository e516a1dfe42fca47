"""The options of `kakera serve`. This module imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from kakera.option_fields import within


@dataclass(frozen=True)
class ServeOptions:
    """The address of the explorer, and its sample pictures.

    Example:

        >>> ServeOptions(port=9000).port
        9000
    """

    host: str = "127.0.0.1"
    """address to listen on; with any but 127.0.0.1, localhost or ::1, other machines can connect"""
    port: int = within(8421, 0, 65535)
    """port to listen on; 0 chooses a free port"""
    pictures: str = ""
    """sample pictures: a folder, a file or a built-in name; empty takes the training data of the models"""
    allow_host: str = ""
    """further host names of visitors, such as behind a proxy, separated by commas; others are refused"""
    root_path: str = ""
    """path below which a proxy shows this server, such as /kakera; open it with / at the end"""
