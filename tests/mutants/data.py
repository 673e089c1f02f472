"""Mistakes in how the images of a set are found, kept and streamed."""

_CACHE, _IMAGES, _STREAMED = "tests/data/test_cache.py", "tests/data/test_images.py", "tests/data/test_streamed.py"
_KEPT, _SCAN = "tests/folders/test_kept.py", "tests/folders/test_scan.py"

MUTANTS = [
    ("data/images.py", "else self.index.index_select(0, index)", "else index", _IMAGES),
    ("data/images.py", "rows = index if self.index is None else self.index[index]", "rows = index", _IMAGES),
    ("data/images.py", "return len(self) * math.prod", "return len(self.whole) * math.prod", _IMAGES),
    ("data/images.py", "images[rows[0] : rows[-1] + 1]", "images[rows[0] : rows[-1]]", _IMAGES),
    ("data/cache.py", 'if facts["file"] == _stamp(path):', "if True:", _CACHE),
    ("data/cache.py", 'if facts["file"] == _stamp(path):', "if False:", _CACHE),
    ("data/cache.py", 'facts["checksum"] != _join', 'facts["num"] != len', _CACHE),
    ("data/cache.py", 'facts | {"file": _stamp(path)}', "facts", _CACHE),
    ("data/cache.py", "survey.kept[row] not in survey.deep]", "True]", _CACHE),
    ("data/cache.py", "[survey.kept[row] for row in group]", "[row for row in group]", _CACHE),
    ("data/cache.py", "rows[place[number]] = image", "rows[number] = image", _CACHE),
    ("data/manifest.py", "number not in self.lost]", "True]", _CACHE),
    ("data/manifest.py", "stat.st_size, stat.st_mtime_ns", "stat.st_size, 0", _CACHE),
    ("data/facts.py", "[split.source, size, None if split", "[split.source, size, None if True or split", _CACHE),
    ("data/facts.py", "parts += [name, *name_pixels(splits[name]", "parts += [*name_pixels(splits[name]", _CACHE),
    ("data/parallel.py", "yield waiting.popleft().result()", "yield waiting.pop().result()", _CACHE),
    ("data/parallel.py", "islice(left, ahead)", "left", _CACHE),
    ("data/parallel.py", "            workers.close()", "            pass", _CACHE),
    ("data/streaming.py", "min(_MOST_BYTES, _SHARE *", "max(_MOST_BYTES, _SHARE *", _STREAMED),
    ("data/streaming.py", "not kept.exists() and", "True and", _STREAMED),
    ("data/streaming.py", "(headers.exists() or not _fits(kept, size))", "not _fits(kept, size)", _STREAMED),
    ("data/streaming.py", 'digest(facts["checksum"], asdict(form), ranges)', 'facts["checksum"]', _STREAMED),
    ("data/streamed.py", "self._starts[rows], self._ends[rows]", "self._starts, self._ends", _STREAMED),
    ("data/streamed.py", "self.form, self.ranges)", "self.form, {})", _STREAMED),
    ("data/loading.py", "if isinstance(batch, NetgazeError):", "if False:", _STREAMED),
    ("data/reading.py", "first = file.read(_NAMED_BY)", 'first = b""', _STREAMED),
    ("folders/kept.py", "< started - _SETTLED", "< started", _KEPT),
    ("folders/kept.py", " and last.stamp == _stamp(last.layout)", "", _KEPT),
    ("folders/kept.py", "list(names) for why, names", "names for why, names", _KEPT),
    (
        "folders/scan.py",
        "if not ending or ending in TABLES:\n        found.watched",
        "if not ending:\n        found.watched",
        _KEPT,
    ),
    ("folders/scan.py", "for name in sorted([*names, *inner])", "for name in [*names, *inner]", _SCAN),
]
