"""Estimators for scikit-learn: `Embedder` turns files into vectors, `KakeraClassifier` classifies them.

`X` is a list of files: paths, bytes, Pillow images, arrays, or waveforms with their sample rate. Both
estimators work in pipelines, cross-validation and grid search.
"""

from kakera.sklearn.classifier import KakeraClassifier
from kakera.sklearn.embedder import Embedder

__all__ = ["Embedder", "KakeraClassifier"]
