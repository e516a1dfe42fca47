"""From a waveform to a picture of it: rate, frames, mel bands. Tensors and numbers; no files here."""
