"""Train one run, or a sweep with -m."""

import sys

from netgaze import cli

if __name__ == "__main__":
    cli.train(sys.argv[1:])
