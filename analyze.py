"""Look at finished runs side by side, or at a network without one; without words list the runs that there are."""

from pathlib import Path

from netgaze import cli
from netgaze.early_checks import check_analyze

USAGE = """\
Look at finished runs side by side: a column a run, untrained networks beside them, one report.html.

  python analyze.py runs=outputs/<run>                                   every figure of one run
  python analyze.py runs=[outputs/<a>,outputs/<b>] figure=[cam,tsne]     some figures of two
  python analyze.py runs=outputs/sweeps/<sweep>                          the runs of a sweep
  python analyze.py runs=[...] data=meglass figure=verification           on other data than their own
  python analyze.py runs=[...] labels=[supervised,rotation] control=null

Or list runs, newest first, and clear away those that came to nothing:

  python analyze.py                                                      every run below outputs/
  python analyze.py where.task=rotation sort=test/acc                    some of them, the best first
  python analyze.py runs=latest:2                                        the two newest side by side
  python analyze.py clean=list                                           failed and unfinished ones; clean=remove

Or look at what a network costs and sees, layer by layer, without any run:

  python analyze.py model=vgg19 input=[3,224,224] figure=[anatomy]
  python analyze.py model=alexnet model.form=two_group input=[3,224,224] figure=[anatomy]
  python analyze.py model=resnet18 input=[3,32,32] task.num_classes=10 figure=[anatomy]
"""


def job(config, folder, request):
    """Imports torch only now: the config has been composed, and asks for something that can be done."""
    from netgaze.analysis import analyze

    analyze(config, folder, request)


if __name__ == "__main__":
    cli.run(Path(__file__).with_name("conf"), "analyze", lambda config, _: check_analyze(config), job, USAGE)
