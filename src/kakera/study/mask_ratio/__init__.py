"""Which share of the patches to hide."""
