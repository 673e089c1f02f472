"""What is learned. One LightningModule a file."""
