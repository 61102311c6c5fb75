"""What is written, and the record of its being written."""
