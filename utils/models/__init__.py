"""What computes a probability."""
