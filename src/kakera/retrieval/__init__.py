"""Indexes of embedding vectors on disk, and the exact search in them. Does not import torch."""
