"""The page one can click in: what figures hand to it, how that becomes one block of JSON, and its script and style."""
