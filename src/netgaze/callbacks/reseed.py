"""All that is random in an epoch follows from (seed, epoch, rank): so no RNG state needs to be saved."""

import random

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class Reseed(Callback):
    """Seed every global generator at each epoch's start.

    Args:
        seed: the run's seed.
    """

    def __init__(self, *, seed: int):
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed Python's, NumPy's and torch's generators from (seed, epoch, rank)."""
        words = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank]).generate_state(1)
        seed = int(words[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
