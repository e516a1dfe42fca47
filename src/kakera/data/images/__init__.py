"""Picture files: decoding, values, cutting."""
