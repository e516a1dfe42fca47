"""Pretraining, fine-tuning, probes and predictions."""
