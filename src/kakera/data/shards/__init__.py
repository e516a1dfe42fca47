"""Shards: tar files with an index, which can be read in any order."""
