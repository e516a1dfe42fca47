"""Data decoded once and kept, in memory or in a cache on disk."""
