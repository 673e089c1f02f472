"""Files atomic_write or not at all; a cache that is damaged is made again."""

import json

import numpy as np
import pytest

from netgaze.errors import NetgazeError
from netgaze.files import atomic_write, cache_root, cached_arrays, digest, make_file_names, read_json, write_json


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as beside:  # noqa: PT012
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_place_that_cannot_be_written_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NetgazeError, match="Cannot write"):
        write_json(tmp_path / "file" / "a.json", {})


def test_json_is_standard(tmp_path):
    write_json(tmp_path / "a.json", {"x": np.float32(0.5), "y": float("nan"), "z": (1, np.arange(2))})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 0.5, "y": None, "z": [1, [0, 1]]}


def test_damaged_json_is_said(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(NetgazeError, match="not a JSON file"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a zip", None])
def test_a_damaged_cache_is_made_again(damage):
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(1000.0)}

    key = digest(str(damage))
    cached_arrays("t", key, make)
    cached_arrays("t", key, make)
    assert len(made) == 1
    path = cache_root() / "t" / f"{key}.npz"
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    assert np.array_equal(cached_arrays("t", key, make)["a"], np.arange(1000.0))
    assert len(made) == 2


def test_digest_tells_content_apart():
    a = np.arange(4)
    assert digest(a) == digest(a.copy())
    assert len({digest(a), digest(a.astype(float)), digest(a.reshape(2, 2)), digest("x"), digest({"x": 1})}) == 5


def test_file_names_differ_where_words_differ():
    words = ["a b", "a/b", "a_b", "A b", "a b_2", "lr=0.1", "conv1-x.y", "..", ".hidden", "ä b", "a b 2"]
    names = make_file_names(words)
    assert names[0] == "a_b"
    assert names[5:7] == ["lr=0.1", "conv1-x.y"]
    assert len({name.lower() for name in names}) == len(words)
    assert not any(name.startswith(".") or "/" in name or " " in name for name in names)
