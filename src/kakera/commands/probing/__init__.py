"""What a probe plans, and the fine-tunings beside it."""
