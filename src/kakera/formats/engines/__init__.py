"""Engines: ways to compute the predictions of a classifier, and the choice of the fastest one."""
