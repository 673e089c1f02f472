"""What happens during training. One file per callback."""
