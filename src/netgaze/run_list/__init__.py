"""The runs that lie below a folder: found, chosen by words, shown as a table, cleared away. Needs no torch."""
