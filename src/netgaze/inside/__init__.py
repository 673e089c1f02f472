"""Looking into a network: its layers, their cost and receptive fields, and images found by gradient."""
