"""Pictures and what is known of them: sources, decoding, splits, batches."""
