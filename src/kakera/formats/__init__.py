"""Weights on disk: kakera's own format, and those of others."""
