"""Networks. One file per architecture."""
