"""Layouts of picture folders: parts, classes, tables of labels. Needs neither torch nor NumPy."""
