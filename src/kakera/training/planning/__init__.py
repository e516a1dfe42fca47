"""The plan of a training before it starts: network size, time, memory and advice."""
