"""What is looked at: images in memory, splits, samplers, augmentation. One file a data set."""
