"""Valid files by independent encoders in their odd settings, read by kakera and by a second decoder."""
