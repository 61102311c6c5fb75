"""What a reader sees: figures, players, knobs, evidence."""
