"""Parts of `kakera embed`: its settings, the vectors that are missing, and what has changed."""
