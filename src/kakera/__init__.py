"""kakera: learn from pictures by guessing what a few visible fragments leave out."""

__version__ = "0.1.0"
