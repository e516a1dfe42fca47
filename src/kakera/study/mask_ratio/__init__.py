"""The study of the mask ratio."""
