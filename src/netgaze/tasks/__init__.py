"""Ways to train. One LightningModule per file."""
