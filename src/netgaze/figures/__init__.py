"""What is asked of a trained network: one question a file, computing apart from drawing."""
