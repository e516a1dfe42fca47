"""One module a verb, for Python and the command line."""
