"""CNN, Vision Transformer or masked autoencoder, for how many labels."""
