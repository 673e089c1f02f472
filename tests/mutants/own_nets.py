"""Breakages of networks of a person's own, and of whose code may run: each must make a test fail."""

_NET, _HOSTILE = "tests/models/test_own_net.py", "tests/test_hostile.py"

MUTANTS = [
    ("models/own_net.py", "if next(calls) != self._map_call:", "if False:", _NET),
    ("models/own_net.py", "output.clone() if self._is_overwritten else output", "output", _NET),
    ("models/own_net.py", "                module.inplace = False", "                pass", _NET),
    ("models/own_net.py", 'if not f"{self._map_layer}.".startswith(f"{name}."))', "if True)", _NET),
    ("models/own_net.py", "                module.training = mode", "                pass", _NET),
    ("models/own_net.py", "        elif self._is_pooled:", "        elif True:", _NET),
    ("models/own_net.py", "if self._latest is not None and maps is self._latest[0]:", "if False:", _NET),
    ("models/own_net.py", 'self.__dict__ | {"_latest": None}', "dict(self.__dict__)", _NET),
    ("models/own_net.py", "self._run(images.clone(), other)", "self._run(images, other)", _NET),
    ("models/own_net.py", "torch.random.fork_rng(devices=[]), ", "", _NET),
    ("models/discover.py", "last = giving[-1]", "last = giving[0]", _NET),
    ("models/discover.py", "for row, layout in reversed(named):", "for row, layout in named:", _NET),
    ("models/discover.py", "if gradient is not None and bool(gradient.any()):", "if True:", _NET),
    (
        "models/discover.py",
        "torch.cat([output[:, : self.num_prefix], ",
        "torch.cat([0 * output[:, : self.num_prefix], ",
        _NET,
    ),
    ("models/discover.py", "if row.name not in again:", "if True:", _NET),
    ("models/discover.py", "for f in (torch.softmax, torch.log_softmax)", "for f in (torch.softmax,)", _NET),
    ("models/discover.py", "or isinstance(row.module, _POOLS)", "", _NET),
    ("models/module.py", '    check_may_import(target, "model.target")', "    pass", _HOSTILE),
    ("models/module.py", "if not (is_trusted(target) or", "if not (True or", _NET),
    ("models/module.py", '{"num_classes": num_classes, **kwargs} if', "dict(kwargs) if", _NET),
    (
        "trusted.py",
        "bool({name, _find_root(name)} & set(trusted))",
        "_find_root(name) in map(_find_root, trusted)",
        _HOSTILE,
    ),
    ("trusted.py", "    return found is not None", "    return True", _HOSTILE),
    ("commands/arguments.py", "        check_may_import(name, key)", "        pass", _HOSTILE),
    ("commands/arguments.py", "    for _, name in _list_targets(words):\n        trust(name)", "    pass", _HOSTILE),
]
