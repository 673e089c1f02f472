"""Breakages of what trackers are told, and of what a stranger's run may make of them: each must make a test fail."""

_TRACKING = "tests/callbacks/test_tracking.py"

MUTANTS = [
    ("tracking.py", 'if row["epoch"] > self._told[name]:', "if True:", _TRACKING),
    ("tracking.py", 'if row["epoch"] > self._told[name]:', 'if row["epoch"] >= self._told[name]:', _TRACKING),
    ("tracking.py", 'known.get("epoch", 0) if id is not None else 0', 'known.get("epoch", 0)', _TRACKING),
    ("tracking.py", 'if note.get("address") == tracker.address else {}', "if True else {}", _TRACKING),
    ("tracking.py", "            except NetgazeError:\n                raise\n", "", _TRACKING),
    ("tracking.py", "self._trackers.pop(name, None)", "self._trackers.get(name)", _TRACKING),
    ("tracking.py", "except (KeyboardInterrupt, Stopped):", "except KeyboardInterrupt:", _TRACKING),
    ("tracking.py", '            status = "finished"\n', "", _TRACKING),
    ("tracking.py", "        self._tell_rows(run.epochs, {})  # where training was over already\n", "", _TRACKING),
    ("tracking.py", 'if row["epoch"] == numbers["best/epoch"] for name in row', "for name in row[:0]", _TRACKING),
    ("tracking.py", "request.is_of_stored_config\n        and", "True\n        and", _TRACKING),
    ("tracking.py", 'and not request.says(f"logger.{name}.{key}")', "", _TRACKING),
    ("tracking.py", "content.get(key, usual[key].default) != usual[key].default", "key in content", _TRACKING),
    ("tracking.py", "if key not in doubtful})", "})", _TRACKING),
    ("tracking.py", "if is_main_process() else ()", "if True else ()", _TRACKING),
    ("tracking.py", "if not self._trackers:  #", "if False:  #", _TRACKING),
    ("tracking.py", 'r"[\\w-]{1,64}"', 'r".{1,64}"', _TRACKING),
    ("tracking.py", 'removeprefix("outputs/")', 'removeprefix("")', _TRACKING),
    ("tracking.py", "        rank_zero_only.rank = 0", "        rank_zero_only.rank", _TRACKING),
    ("request.py", 'rf"(?<![\\w.]){re.escape(key)}="', 'rf"{re.escape(key)}="', _TRACKING),
    ("loggers/base.py", "os.environ.update(usual | before)", "os.environ.update(before | usual)", _TRACKING),
    ("loggers/base.py", "        os.environ.update(before)\n", "", _TRACKING),
    ("loggers/base.py", "if name not in told}", "}", _TRACKING),
    ("loggers/base.py", 'step=int(numbers["best/epoch"])', "step=0", _TRACKING),
    ("loggers/csv.py", "flush_logs_every_n_steps=1", "flush_logs_every_n_steps=100", _TRACKING),
    ("early_checks.py", "found is None or found.origin is None", "found is None", _TRACKING),
    ("early_checks.py", "not re.match(_STORES, tracking_uri)", "False", _TRACKING),
]
