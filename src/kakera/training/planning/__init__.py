"""What a training will do, before it does it: size, time, memory, advice."""
