"""Model files: kakera's own format, and the formats of other libraries."""
