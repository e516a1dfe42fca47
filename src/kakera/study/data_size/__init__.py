"""The data-size study: CNN, Vision Transformer or masked autoencoder, by number of labels."""
