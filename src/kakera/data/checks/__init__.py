"""Checks of a data set: counts, leaks between parts, and digests that show later changes."""
