"""The HTML pages that the verbs end with."""
