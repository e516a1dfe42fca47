"""The Vision Transformer, the masked autoencoder and the CNN they are compared with."""
