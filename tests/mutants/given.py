"""Breakages of networks and images of one's own: each must make a test fail."""

_GIVEN, _WRAPPED = "tests/data/test_given.py", "tests/test_wrapped.py"
_PIXELS = "data/given_pixels.py"

MUTANTS = [
    (_PIXELS, "restored = values * std + mean", "restored = (values + mean) * std", _GIVEN),
    (_PIXELS, "(values * 255).round_()", "(values * 255)", _GIVEN),
    (_PIXELS, "(low >= 0 and high <= 1)", "(low >= 0 or high <= 1)", _GIVEN),
    (_PIXELS, "if low >= -_SLACK and high <= 1 + _SLACK:", "if True:", _GIVEN),
    (_PIXELS, "values.permute(2, 0, 1)", "values.permute(2, 1, 0)", _GIVEN),
    (_PIXELS, "torch.minimum(known[0], low)", "low", _GIVEN),
    (_PIXELS, 'if image.mode in ("1", "L") else', "if False else", _GIVEN),
    ("data/given.py", "if low < 0 or high >= len(class_names):", "if high >= len(class_names):", _GIVEN),
    ("data/given.py", 'part = getattr(part, "dataset", None)', "part = None", _GIVEN),
    ("data/base.py", 'other.__dict__.pop("fingerprint", None)', "pass", _GIVEN),
    ("wrapped.py", "network = copy.deepcopy(wrapped.network)", "network = wrapped.network", _WRAPPED),
    ("wrapped.py", "torch.default_generator.manual_seed(CONTROL_SEED)", "pass", _WRAPPED),
    ("wrapped.py", "task.eval()", "task.train()", _WRAPPED),
    ("wrapped.py", "task.class_names, data.mean, data.std)", "task.class_names)", _WRAPPED),
    ("wrapped.py", "if len(normalizations) == 1 else None", "if normalizations else None", _WRAPPED),
    ("wrapped.py", "        training=True,\n        untrained", "        untrained", _WRAPPED),
    ("wrapped.py", "        train_data=lambda: seen,", "        train_data=None,", _WRAPPED),
    ("inside/cascade.py", "if versions.get(weights) == weights._version:", "if draw is None:", _WRAPPED),
    ("subject.py", "            return digest(self.label)\n", '            return digest("")\n', _WRAPPED),
]
