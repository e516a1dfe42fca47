"""What is in a data set and whether it has changed: counts, leaks, digests."""
