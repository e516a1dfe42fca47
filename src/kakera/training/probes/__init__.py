"""Simple classifiers on frozen features."""
