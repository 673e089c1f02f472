"""Look at finished runs side by side, or at a network without one; without words list the runs that there are."""

import sys

from netgaze import cli

if __name__ == "__main__":
    cli.analyze(sys.argv[1:])
