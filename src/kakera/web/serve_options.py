"""The options of `kakera serve`. Nothing heavy here."""

from __future__ import annotations

from dataclasses import dataclass

from kakera.option_fields import within


@dataclass(frozen=True)
class ServeOptions:
    """Where the explorer is found, and what it shows at first."""

    host: str = "127.0.0.1"
    """The address to listen on; any other than this machine's own lets others in."""
    port: int = within(8421, 0, 65535)
    """The port; 0 takes a free one."""
    pictures: str = ""
    """What to choose from: a folder, a file or a built-in name; empty takes what the models learned from."""
    allow_host: str = ""
    """Names by which a proxy's visitors call this server, joined by commas; others are refused."""
    root_path: str = ""
    """The path below which a proxy shows this server, such as /kakera; open it with / at the end."""
