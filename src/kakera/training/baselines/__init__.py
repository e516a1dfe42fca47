"""Baselines: simple classifiers without a network, and confidence intervals for comparisons."""
