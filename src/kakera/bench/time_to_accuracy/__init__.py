"""Time to accuracy: processor seconds of pretraining that kakera and other libraries need."""
