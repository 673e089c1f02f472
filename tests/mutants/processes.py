"""Breakages of runs on several processes, and of runs that are told to stop and go on."""

_RANKS, _STOPPED = "tests/test_processes.py", "tests/callbacks/test_preemption.py"
_SAMPLER, _AVERAGE = "tests/run/test_preemption.py", "tests/callbacks/test_average.py"
_PEOPLE = "tests/data/test_identity_batches.py"

MUTANTS = [
    ("ranks.py", 'return _read("SLURM_PROCID", 0)', 'return _read("SLURM_LOCALID", 0) + 1', _RANKS),
    ("ranks.py", "if devices == 1 or not _is_of_lightning()", "if not _is_of_lightning()", _RANKS),
    ("ranks.py", '{step}_{typed}"', '{step}"', _RANKS),
    ("processes.py", "return num // count_nodes()", "return num", _RANKS),
    ("schema.py", "1 if is_bound else started // count_nodes()", "started // count_nodes()", _RANKS),
    ("data/sampler.py", "[self.rank :: self.world])\n", ")\n", _PEOPLE),
    ("data/sampler.py", "batch_size * world // images_per_person", "batch_size // images_per_person", _PEOPLE),
    ("data/sampler.py", "islice(self.sampler, self.count_done(), None)", "islice(self.sampler, 0, None)", _SAMPLER),
    ("callbacks/preemption.py", "count % before * now // before", "count % before", _STOPPED),
    ("callbacks/preemption.py", '"_step_count": scale(each["last_epoch"]) + 1', '"_step_count": 1', _STOPPED),
    ("callbacks/preemption.py", '            steps[kind]["completed"] = count - 1\n', "            pass\n", _STOPPED),
    ("callbacks/preemption.py", "    torch.set_rng_state(state", "    str(state", _STOPPED),
    ("callbacks/preemption.py", "        if trainer.global_step % self.every:\n", "        if False:\n", _STOPPED),
    ("callbacks/history.py", "if trainer.fit_loop.restarted_mid_epoch else now", "if False else now", _STOPPED),
    ("callbacks/average.py", '"average": {} if self._waiting else self._average', '"average": {}', _AVERAGE),
    ("tasks/step.py", "value.to(device) + self._sums.get(name, 0)", "value.to(device) * 0", _STOPPED),
    ("tasks/step.py", "        self._num += num\n\n    def read(", "\n    def read(", _STOPPED),
]
