"""The words of a command: converted for Hydra, and checked before torch is imported."""
