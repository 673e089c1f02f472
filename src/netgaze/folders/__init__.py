"""How people lay out pictures in folders: parts, classes, tables of labels. Needs neither torch nor NumPy."""
