"""Storage of decoded data, in memory or in a cache on disk."""
