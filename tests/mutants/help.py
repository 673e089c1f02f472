"""Breakages of `--help`, of a person's own configs, of completion and of the command `netgaze`."""

_HELP, _OWN, _PROGRAM = "tests/test_help.py", "tests/test_own_configs.py", "tests/test_netgaze.py"

MUTANTS = [
    ("commands/yamls.py", "[value.end_mark.index :].partition", "[value.start_mark.index :].partition", _HELP),
    ("commands/yamls.py", "above.insert(0, ", "above.append(", _HELP),
    ("commands/yamls.py", 'key.said or said.get(key.path, "")', 'said.get(key.path, "") or key.said', _HELP),
    ("commands/yamls.py", 'startswith(f"{start}defaults")', 'startswith("defaults")', _HELP),
    ("commands/choices.py", "merge_keys(own, file.list_keys())", "merge_keys(file.list_keys(), own)", _HELP),
    ("commands/choices.py", "chosen |= find_choice(configs, group, name).others", "pass", _HELP),
    ("commands/choices.py", "find_choice(configs, group, name).list_keys(), keys)", "keys, keys)", _HELP),
    ("commands/choices.py", '_\\w+_|name")', 'name")', _HELP),
    ("commands/docstrings.py", 'for name in names.split(", ") if not', "for name in [names] if not", _HELP),
    ("commands/docstrings.py", "for base in found.bases if", "for base in found.bases[1:] if", _HELP),
    ("commands/columns.py", "self.width - column - 4", "self.width - column", _HELP),
    ("commands/columns.py", "if length <= self.width * 2 // 5", "", _HELP),
    (
        "commands/columns.py",
        "min(shutil.get_terminal_size().columns, _WIDE)",
        "shutil.get_terminal_size().columns",
        _HELP,
    ),
    ("commands/help.py", 'not line.startswith("  ")', "line", _HELP),
    ("commands/help.py", 'if key.path == path or key.path.startswith(f"{path}.")', "if path in key.path", _HELP),
    ("commands/help.py", 'value.strip("[]").split(",")', 'value.split(",")', _HELP),
    ("commands/folders.py", "(own / group).is_dir() for", "(own / group).exists() for", _OWN),
    ("commands/folders.py", "own == conf.resolve() or not any", "not any", _OWN),
    ("commands/folders.py", "own.stat().st_uid != os.getuid()", "False", _OWN),
    (
        "commands/folders.py",
        '"--config-path", str(first), "--config-dir", str(conf)',
        '"--config-dir", str(first)',
        _OWN,
    ),
    ("commands/configs.py", "else Configs(own, name, (str(conf),))", "else Configs(conf, name, (str(own),))", _OWN),
    ("cli.py", "            _admit(own)\n", "            pass\n", _OWN),
    ("commands/completion.py", 'for mark in "=[,")', 'for mark in "=")', _PROGRAM),
    ("commands/completion.py", "offer.startswith(word))", "True)", _PROGRAM),
    ("commands/completion.py", " or key for key in keys if key.startswith(word)", " for key in keys", _PROGRAM),
    ("program.py", 'script.parts[-2:] == ("netgaze", "__main__.py")', 'script.name == "__main__.py"', _PROGRAM),
    ("__main__.py", '"runs": cli.analyze', '"run": cli.analyze', _PROGRAM),
]
