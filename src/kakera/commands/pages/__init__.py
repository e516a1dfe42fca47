"""The HTML pages that the verbs write at their end."""
