"""No training at all: the network as it was drawn, as a run beside others and a source for transfer."""

from netgaze.tasks.base import Task


class Untrained(Task):
    """Test an untrained network. Its features are what a random network knows; its accuracy is chance."""

    trainable = False
