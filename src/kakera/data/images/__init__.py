"""Picture files: decoding, value ranges, crops and resizing."""
