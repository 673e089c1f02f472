"""Drawing tools that several figures share."""
