"""Folders: their files in order, which of them are pictures or recordings, and which are skipped."""
