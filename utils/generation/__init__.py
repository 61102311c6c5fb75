"""What turns probabilities into a text."""
