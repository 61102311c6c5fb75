"""The book's library: one small module per chapter, and the few they share."""
