"""Growth of time and memory with the number of files and classes."""
