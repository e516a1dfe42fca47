"""What is reached without a network, and how sure a comparison is."""
