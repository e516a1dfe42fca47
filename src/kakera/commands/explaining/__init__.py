"""The figures of `kakera explain` and their page."""
