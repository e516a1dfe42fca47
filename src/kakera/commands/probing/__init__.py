"""The plan of a probe, and the fine-tunings that it is compared with."""
