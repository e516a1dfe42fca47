"""How fast this machine runs kakera, beside what else is installed: `kakera bench`."""
