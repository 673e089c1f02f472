"""netgaze: train small vision networks in several ways, look inside them, and lay what you see side by side."""

__version__ = "0.1.0"
