"""Experiment trackers, one per file: they get numbers, pictures and config through Lightning's loggers."""
