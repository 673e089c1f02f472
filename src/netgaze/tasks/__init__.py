"""What is learnt. One LightningModule a file."""
