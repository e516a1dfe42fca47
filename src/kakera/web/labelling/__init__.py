"""The server of `kakera label`: its page, its requests, and pictures and sounds of the files."""
