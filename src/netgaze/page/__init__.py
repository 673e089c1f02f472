"""Pages: their templates and styles; of the one to click in also its script, and what figures hand to it as JSON."""
