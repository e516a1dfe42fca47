"""Looking into a model: a page of plates."""
