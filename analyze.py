"""Look at finished runs side by side."""

from pathlib import Path

from netgaze import cli

USAGE = """\
Look at finished runs side by side: a column a run, untrained networks beside them, one report.html.

  python analyze.py runs=outputs/<run>                                   every figure of one run
  python analyze.py runs=[outputs/<a>,outputs/<b>] figure=[cam,tsne]     some figures of two
  python analyze.py runs=outputs/sweeps/<sweep>                          the runs of a sweep
  python analyze.py runs=[...] data=meglass figure=verification           on other data than their own
  python analyze.py runs=[...] labels=[supervised,rotation] control=null
"""


def job(config, folder, about):
    """Imports torch only now: the config has been composed."""
    from netgaze.experiment import analyze

    analyze(config, folder, about)


if __name__ == "__main__":
    cli.run(Path(__file__).with_name("conf"), "analyze", job, USAGE)
