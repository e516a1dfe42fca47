"""What a model sees and makes of a picture."""
