"""Shards: tar files with an index, read in any order, and how they are packed."""
