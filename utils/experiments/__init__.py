"""One module for the experiment of a chapter; each is handed its models."""
