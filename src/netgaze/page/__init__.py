"""What a page needs to be clicked in: scripts and styles in files of their own, and what joins them."""
