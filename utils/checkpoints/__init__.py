"""Weights that are kept, how each was made, and how to make it again."""
