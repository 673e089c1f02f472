"""Questions to a trained network: one per file, computing apart from drawing."""
