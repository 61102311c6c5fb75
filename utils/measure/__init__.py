"""What can be said of a model or a text in numbers, and how far to trust them."""
