"""The parts of `kakera fit`: data and encoder, plan, head, run folder. Does not import torch."""
