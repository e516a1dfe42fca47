"""Packing: write any data set into shards."""
