"""Any data set written into shards."""
