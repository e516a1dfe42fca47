"""The parts of `kakera label`: the next file, the head, the table. Without torch and web."""
