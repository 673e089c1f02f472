"""A run's network as a file for other programs: one form per file."""
