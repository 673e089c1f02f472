"""File formats for a run's network, one per file."""
