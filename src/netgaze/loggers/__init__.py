"""Trackers, one per file: where numbers, pictures and config go besides the run's folder, by Lightning's loggers."""
