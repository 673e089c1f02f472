"""Train one run, or a sweep with -m."""

from pathlib import Path

from netgaze import cli
from netgaze.early_checks import check_train

USAGE = """\
Train a small vision network, look inside it, keep everything in one folder below outputs/.

  python train.py                                        supervised ResNet on CIFAR-10
  python train.py task=rotation model=resnet_small       self-supervised by rotations
  python train.py data=shapes trainer.max_epochs=3       embedded data, no network needed
  python train.py -m optim.lr=0.1,0.03,0.01              a sweep: table, plot, winner, report
  python train.py resume=outputs/<run>                   go on in place, as if never stopped
  python train.py --cfg job                              every key with its value

Any key can be typed as group.key=value. A sweep takes values with commas in between.
"""


def job(config, folder, request):
    """Imports torch only now: the config has been composed, and asks for something that can be done."""
    from netgaze.experiment import fit

    fit(config, folder, request)


if __name__ == "__main__":
    cli.run(Path(__file__).with_name("conf"), "train", check_train, job, USAGE)
