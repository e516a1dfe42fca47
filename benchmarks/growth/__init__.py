"""How time and memory grow with the number of files and of classes."""
