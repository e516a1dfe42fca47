"""The verbs, one module for each, for Python and for the command line."""
