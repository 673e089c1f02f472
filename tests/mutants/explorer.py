"""Breakages of the page one clicks in: of what it is told, of what it shows. Each must make one of its tests fail."""

_FIGURE, _BLOCK = "tests/figures/test_explore.py", "tests/page/test_block.py"
_PAGE = "tests/page/test_explorer.py"

MUTANTS = [
    # answers
    ("figures/explore/answers.py", "(own * _K + 1 / _K)", "(own * _K)", _FIGURE),
    ("figures/explore/answers.py", 'is_bank = split == "train"', "is_bank = False", _FIGURE),
    ("figures/explore/answers.py", "np.argsort(-shares", "np.argsort(shares", _FIGURE),
    ("figures/explore/answers.py", '"head" if subject.names_classes else "own"', '"head"', _FIGURE),
    # evidence
    ("figures/explore/evidence.py", "bounded * 127 + 128", "bounded * 127 + 120", _FIGURE),
    ("figures/explore/evidence.py", "chosen[is_missing, -1] = targets[is_missing]", "pass", _FIGURE),
    ("figures/explore/evidence.py", "torch.arange(len(maps))[:, None], classes]", ":, : classes.shape[1]]", _FIGURE),
    # what is handed over
    ("figures/explore/sprites.py", "enumerate(pictures)", "enumerate(pictures[::-1])", _FIGURE),
    ("figures/explore/parts.py", "float((high - low).max())", "float((high - low).min())", _FIGURE),
    ("figures/explore/parts.py", "if numbers.max() < 256", "if numbers.max() < 999", _FIGURE),
    ("figures/explore/snapshots.py", "[place[image] for image in", "[place[image] * 0 for image in", _FIGURE),
    ("figures/explore/snapshots.py", "if (answers < 0).any():", "if False:", _FIGURE),
    ("figures/explore/snapshots.py", "planes[::-1]", "planes", _FIGURE),
    (
        "figures/explore/shared_map.py",
        'reference["plane"], found["near"])}',
        'found["plane"], found["near"])}',
        _FIGURE,
    ),
    ("figures/explore/__init__.py", "-len(controls[label])", "len(controls[label])", _FIGURE),
    ("figures/explore/__init__.py", "if subjects[label].control}", "}", _FIGURE),
    ("figures/explore/__init__.py", "if first == label:", "if True:", _FIGURE),
    ("figures/explore/__init__.py", "leave_out_self=True", "leave_out_self=False", _FIGURE),
    ("records.py", "answers.shape == found.shares.shape", "answers.shape", _FIGURE),
    # the block and the page
    ("page/parts.py", "if not is_control:", "if True:", _BLOCK),
    ("page/parts.py", '.newbyteorder("<")', "", _BLOCK),
    ("page/parts.py", '"base64" not in value:', '"base64" in value:', _BLOCK),
    ("page/parts.py", "if its == key]", "]", _BLOCK),
    ("page/render.py", 'r"\\u003c"', '"<"', _BLOCK),
    ("page/render.py", "_hash(script) if script else", "_hash(style) if script else", _BLOCK),
    ("page/data.js", "label ? 0 : 2) + (", "label ? 0 : 1) + (", _PAGE),
    ("page/data.js", "losses[b] - losses[a]", "losses[a] - losses[b]", _PAGE),
    ("page/data.js", "(one) => one <= epoch", "(one) => one < epoch", _PAGE),
    ("page/data.js", "deck.parts[row] === 0 && ", "", _PAGE),
    ("page/link.js", '"both-right", "only-a", "only-b"', '"both-right", "only-b", "only-a"', _PAGE),
    ("page/page.css", "--page: #14181f;", "--page: #fff;", _PAGE),
]
