"""Files atomic_write or not at all; a cache that is damaged is made again."""

import csv
import json

import numpy as np
import pytest
from tests.nasty import NASTY

from netgaze.errors import NetgazeError
from netgaze.files import (
    atomic_write,
    cache_root,
    cached_arrays,
    digest,
    make_file_names,
    read_json,
    write_csv,
    write_json,
)
from netgaze.text import show


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


def test_json_brings_any_text_back(tmp_path):
    content = {name: [name] for name in NASTY}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    (tmp_path / "a.json").read_bytes().decode("utf-8")


def test_csv_brings_back_all_that_can_be_seen(tmp_path):
    rows = [{"name": name, name: number} for number, name in enumerate(NASTY)]
    write_csv(tmp_path / "a.csv", rows)
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    for number, (name, row) in enumerate(zip(NASTY, read, strict=True)):
        shown = show(name, keep="\n\t")
        assert row["name"] == shown
        assert {key: value for key, value in row.items() if key != "name" and value} == {shown: str(number)}


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


def test_file_names_fit_every_file_system():
    names = make_file_names(["猫" * 300, "猫" * 299, *NASTY])
    assert len({name.lower() for name in names}) == len(NASTY) + 2
    assert all(0 < len(name.encode()) < 200 for name in names)
