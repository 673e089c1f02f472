"""Data sets: images in memory, splits, samplers, augmentation. One file per data set."""
