"""Frozen tokens that are computed once: keys of files and encoders, and the cache on disk."""
