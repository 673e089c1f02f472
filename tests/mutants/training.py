"""Breakages of how networks learn: optimizers, schedules, augmentations, the record's network."""

_OPTIM, _SCHEDULES, _AUGMENT = "tests/test_optimizers.py", "tests/test_schedules.py", "tests/data/test_augment.py"
_AIRBENCH, _EPOCHS = "tests/models/test_airbench.py", "tests/callbacks/test_epochs.py"
_TASKS, _AVERAGE = "tests/tasks/test_tasks.py", "tests/callbacks/test_average.py"

MUTANTS = [
    ("optimizers.py", "b * gram + c * gram @ gram", "c * gram + b * gram @ gram", _OPTIM),
    ("optimizers.py", "x / (x.norm() + 1e-7)", "x", _OPTIM),
    ("optimizers.py", "len(bank) ** 0.5 / bank.norm()", "1 / bank.norm()", _OPTIM),
    ("optimizers.py", "torch._foreach_add(grads, buffers, alpha=momentum)", "buffers", _OPTIM),
    ("optimizers.py", "decay = weight_decay / rate", "decay = weight_decay", _OPTIM),
    ("optimizers.py", '(group.get("lr", lr) / lr if lr else 1.0)', "1.0", _OPTIM),
    ("optimizers.py", 'group.get("lr", lr) * bias_lr_scale', "lr * bias_lr_scale", _OPTIM),
    ("optimizers.py", 'if kind == "vectors":', 'if kind == "linear":', _OPTIM),
    ("optimizers.py", "if parameter.grad is not None", "if parameter.requires_grad or True", _OPTIM),
    ("schedules.py", "self.start + (1 - self.start) * done / self.rise", "done / self.rise", _SCHEDULES),
    ("schedules.py", "1 - (1 - self.final) * (done", "1 - (done", _SCHEDULES),
    ("data/augment.py", "(mixed < 0) ^ bool(epoch % 2)", "(mixed < 0) ^ bool(epoch // 2)", _AUGMENT),
    ("data/augment.py", "_GOLDEN * (2 * seed + 1)", "_GOLDEN", _AUGMENT),
    ("data/augment.py", "(size - 1 - place).abs())", "(size - 2 - place).abs())", _AUGMENT),
    ("data/augment.py", "if index is None else index", "if True else index", _AUGMENT),
    ("models/airbench.py", "(moments + _EPS).sqrt()", "(moments + _EPS)", _AIRBENCH),
    ("models/airbench.py", "torch.cat([filters, -filters])", "torch.cat([filters, filters])", _AIRBENCH),
    ("models/airbench.py", "nn.init.dirac_(layer.weight[:in_channels])", "pass", _AIRBENCH),
    ("models/airbench.py", "rest + first if self.is_residual else rest", "rest", _AIRBENCH),
    ("models/airbench.py", ".flatten(1) * self.head_scale", ".flatten(1)", _AIRBENCH),
    ("trainer.py", "trainer.global_step >= self.max_epochs * trainer.num_training_batches", "False", _EPOCHS),
    ("callbacks/freeze.py", "trainer.current_epoch < self.after", "trainer.current_epoch <= self.after", _EPOCHS),
    ("tasks/supervised.py", "half / 2 + (quarters[0] + quarters[1]) / 4", "(half + sum(quarters)) / 3", _TASKS),
    (
        "callbacks/average.py",
        "1 - self._find_decay(trainer, pl_module)",
        "self._find_decay(trainer, pl_module)",
        _AVERAGE,
    ),
    ("callbacks/average.py", 'if self.kind == "lookahead":', 'if self.kind == "ema":', _AVERAGE),
    ("callbacks/average.py", "if self._average and not self._waiting:", "if self._average:", _AVERAGE),
    ("callbacks/average.py", "_write(self._waiting, state)", "pass", _AVERAGE),
    ("callbacks/average.py", "(1 + step) / (10 + step)", "(1 + step) / (2 + step)", _AVERAGE),
    (
        "callbacks/average.py",
        "trainer.estimated_stepping_batches * share",
        "trainer.estimated_stepping_batches",
        _AVERAGE,
    ),
    ("callbacks/average.py", ") ** self.ramp", ")", _AVERAGE),
    ("callbacks/average.py", 'return {"waiting": self._waiting}', 'return {"waiting": self._average}', _AVERAGE),
]
