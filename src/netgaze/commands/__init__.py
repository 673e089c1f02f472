"""What was typed: words made fit for Hydra, and held against the configs before anything heavy is imported."""
