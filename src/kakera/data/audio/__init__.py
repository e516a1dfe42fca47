"""Recordings: decoders, windows, batches of waveforms."""
