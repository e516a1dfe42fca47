"""Data sets of pictures and recordings: sources, decoding, splits and batches."""
