"""Looking into a network: its layers, what they cost and see, and images found by gradient."""
