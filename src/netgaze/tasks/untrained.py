"""No training: the untrained network as a run, to compare with others and as a source for transfer."""

from netgaze.tasks.base import Task


class Untrained(Task):
    """Test an untrained network: the baseline of its features. Its accuracy is chance."""

    trainable = False
