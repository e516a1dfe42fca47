"""The explorer: a server on this machine, and a page that looks inside models."""
