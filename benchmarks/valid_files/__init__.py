"""Valid files of independent encoders in unusual settings, read by kakera and by a second decoder."""
