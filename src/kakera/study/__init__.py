"""Experiments on the user's own data, each ending in a report."""
