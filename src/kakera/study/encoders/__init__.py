"""The study of encoders: which frozen encoder is best for the user's data."""
