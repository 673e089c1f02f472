"""Breakages of runs on several processes, and of runs that are told to stop and go on."""

_RANKS, _TOGETHER, _STOPPED = (
    "tests/test_processes.py",
    "tests/run/test_several_processes.py",
    "tests/run/test_preemption.py",
)
_SHARED = "tests/test_shared_caches.py"

MUTANTS = [
    ("ranks.py", 'return _read("SLURM_PROCID", 0)', 'return _read("SLURM_LOCALID", 0) + 1', _RANKS),
    ("ranks.py", "if devices == 1 or not _is_of_lightning()", "if not _is_of_lightning()", _RANKS),
    ("ranks.py", '{step}_{typed}"', '{step}"', _RANKS),
    ("processes.py", "return num // count_nodes()", "return num", _RANKS),
    ("schema.py", "1 if is_bound else started // count_nodes()", "started // count_nodes()", _RANKS),
    ("gathering.py", "return total[ctx.own]", "return gradients[0][ctx.own]", _TOGETHER),
    ("gathering.py", "    distributed.broadcast(shared, src=0)\n", "", _TOGETHER),
    ("sync_norms.py", "for place in range(x.ndim) if place != 1", "for place in range(2, x.ndim)", _TOGETHER),
    ("sync_norms.py", "variance * num / (num - 1)", "variance", _TOGETHER),
    (
        "tasks/siamese.py",
        "gather_rows(self.model(batch.images).float())",
        "self.model(batch.images).float()",
        _TOGETHER,
    ),
    ("tasks/base.py", "return [tuple(part[order] for part in parts)]", "return mine", _TOGETHER),
    ("data/sampler.py", "[self.rank :: self.world])\n", ")\n", _TOGETHER),
    (
        "run.py",
        "        if is_main_process():\n            write_json",
        "        if True:\n            write_json",
        _TOGETHER,
    ),
    ("data/sampler.py", "islice(self.sampler, self.count_done(), None)", "islice(self.sampler, 0, None)", _STOPPED),
    ("callbacks/preemption.py", '            _set_generators(own["generators"])\n', "", _STOPPED),
    ("callbacks/preemption.py", "trainer.is_last_batch or trainer.should_stop or", "", _STOPPED),
    ("callbacks/preemption.py", "if trainer.fit_loop.restarted_mid_epoch:", "if False:", _STOPPED),
    ("callbacks/preemption.py", "count % before * now // before", "count % before", _STOPPED),
    ("callbacks/history.py", "if trainer.fit_loop.restarted_mid_epoch else now", "if False else now", _STOPPED),
    ("callbacks/average.py", '"average": {} if self._waiting else self._average', '"average": {}', _STOPPED),
    ("tasks/step.py", "value.to(device) + self._sums.get(name, 0)", "value.to(device) * 0", _STOPPED),
    ("tasks/step.py", "        self._num += num\n\n    def read(", "\n    def read(", _STOPPED),
    ("files.py", "                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", "", _SHARED),
]
