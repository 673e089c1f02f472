"""Networks. One file an architecture."""
