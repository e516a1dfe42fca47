"""Log-mel spectrograms of waveforms: sample rate, frames, mel bands. This room reads no files."""
