"""The list of runs in a folder: found, filtered, shown as a table, removed. Needs no torch."""
