"""Breakages of passes over splits, of fused norms, and of what the cache keeps of both: each must make a test fail."""

_PASSES, _FUSING = "tests/figures/test_passes.py", "tests/inside/test_fusing.py"
_RUNS = "tests/run/test_looking.py"

MUTANTS = [
    ("passes.py", "if number == 0 else []", "if number >= 0 else []", _PASSES),
    (
        "passes.py",
        "found = self._network.forward_head(maps) if self._reads_maps",
        "found = self._network.forward_head(maps) if True",
        _PASSES,
    ),
    (
        "passes.py",
        "return self._network.forward_features(images).float()",
        "return self._network.forward_features(images)",
        _PASSES,
    ),
    ("passes.py", 'enabled=self.precision == "bf16"', "enabled=False", _PASSES),
    ("passes.py", "self.data.fingerprint, split, self.precision]", "self.data.fingerprint, split]", _PASSES),
    ("passes.py", "self.data.fingerprint, split, self.precision]", "split, self.precision]", _PASSES),
    ("passes.py", "self.data.fingerprint, split, self.precision]", "self.data.fingerprint, self.precision]", _PASSES),
    (
        "passes.py",
        "digest(digest_weights(task), read_source(task)",
        "digest(digest_body(task.model), read_source(task)",
        _PASSES,
    ),
    ("passes.py", "digest(digest_body(model), read_source(model)", "digest(digest_body(model)", _PASSES),
    ("subject.py", "labels[some], some)", "labels, some)", _PASSES),
    ("subject.py", "return self._passes.see(batches)", "return self._passes.look_at(batches)[0]", _PASSES),
    ("passes.py", "if self._network is None:", "if True:", _PASSES),
    ("subject.py", "        self._foresees_outputs = True\n", "        self._foresees_outputs = False\n", _PASSES),
    ("subject.py", "is_foreseen = self._foresees_outputs and split", "is_foreseen = True and split", _PASSES),
    ("subject.py", "return self.precision if is_passed and not", "return self.precision if not", _PASSES),
    ("gallery.py", '{"classes", "data"} <= needs for', '{"history"} <= needs for', _PASSES),
    ("gallery.py", "key = digest(*question, *told, _digest_code())", "key = digest(*question, *told)", _PASSES),
    (
        "gallery.py",
        "key = digest(*question, *told, _digest_code())",
        "key = digest(*question, _digest_code())",
        _PASSES,
    ),
    (
        "files.py",
        "    for _, size, path in sorted(files):\n",
        "    for _, size, path in sorted(files)[::-1]:\n",
        _PASSES,
    ),
    ("files.py", "        if excess <= 0:\n", "        if excess < -most_bytes:\n", _PASSES),
    ("files.py", "    if stored is not None:\n        mark_used(path)\n", "", _PASSES),
    ("files.py", "> MOST_KEPT_BYTES:", "< 0:", _PASSES),
    ("subjects.py", "        _share_body(built.model, settings)\n", "", _RUNS),
    ("subjects.py", "resolve_figures_precision(precision or own,", "resolve_figures_precision(own,", _RUNS),
    ("inside/fusing.py", "        and reads.counts[id(inputs[0])] == 1\n", "", _FUSING),
    ("inside/fusing.py", "all(reads.counts[id(each)] == 1 for each", "all(reads.counts[id(each)] for each", _FUSING),
    ("inside/fusing.py", "if type(module) is nn.Conv2d and", "if isinstance(module, nn.Conv2d) and", _FUSING),
    ("inside/fusing.py", "fused if pairs and _answer_alike(fused, model, images) else model", "fused", _FUSING),
    ("inside/fusing.py", "    for hook in hooks:\n        hook.remove()\n", "", _FUSING),
]
