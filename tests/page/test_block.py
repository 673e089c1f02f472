"""The block of JSON of a page: arrays there and back, parts put together, and nothing in it that could end it."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgaze.page.parts import assemble, encode, read_parts, write_parts
from netgaze.page.render import render

NASTY = "</script><script>window.pwned=1</script><!--\"'&\u2028\u202e"


def decode(array):
    return np.frombuffer(base64.b64decode(array["base64"]), array["dtype"]).reshape(array["shape"])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "int8"])
def test_arrays_come_back(dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for some in (array, array.astype(array.dtype.newbyteorder(">")), array[:, ::2]):
        found = encode({"a": [some]})["a"][0]
        assert found["dtype"] == dtype
        np.testing.assert_array_equal(decode(found), some)


def test_parts_of_several_figures_are_put_together(tmp_path):
    images = {"name": "set", "index": np.arange(3)}
    write_parts(
        tmp_path / "explore",
        {
            "a": {"set": "s", "images": images, "network": {"values": {"x": 1}}},
            "b": {"set": "t", "images": images, "network": {}},
            "untrained": {"set": "s", "images": {}, "network": {}},
        },
        ["untrained"],
    )
    write_parts(
        tmp_path / "other",
        {
            "a": {"network": {"values": {"y": 2}}, "run": {"series": {"z": 3}}},
            "untrained": {"run": {"series": {"z": 4}}},
        },
        ["untrained"],
    )
    block = assemble(read_parts(tmp_path, ["explore", "other", "missing"]), {"a": {"lr": "1"}, "c": {}})
    assert block["version"] == 1
    first, second = block["sets"]
    assert [(it["label"], it["control"]) for it in first["networks"]] == [("a", False), ("untrained", True)]
    assert first["networks"][0]["values"] == {"x": 1, "y": 2}
    assert [it["label"] for it in second["networks"]] == ["b"]
    assert block["runs"] == [{"label": "a", "settings": {"lr": "1"}, "series": {"z": 3}}]
    np.testing.assert_array_equal(decode(first["index"]), np.arange(3))


def test_without_images_there_is_nothing_to_explore(tmp_path):
    write_parts(tmp_path / "curves", {"a": {"run": {"series": {"z": 3}}}}, [])
    assert assemble(read_parts(tmp_path, ["curves"])) is None
    write_parts(tmp_path / "knn", {"a": {}}, [])
    assert not (tmp_path / "knn.explore.json").exists()


def make_page(block):
    explorer = {"title": "Explore", "question": "?", "picture": "data:,", "captions": [], "left_out": []}
    return render("explore.html", {"title": NASTY}, explorer | {"block": block})


def read_block(page):
    return json.loads(re.search(r'<script type="application/json" id="explore-data">(.*?)</script>', page, re.S)[1])


def test_names_cannot_end_the_block(tmp_path):
    block = {"names": [NASTY, "<!--<script>", "]]>"]}
    page = make_page(block)
    assert read_block(page) == block
    assert page.count("<script") == 2
    assert "window.pwned=1</script>" not in page


@given(st.text())
def test_any_text_comes_back(text):
    assert read_block(make_page([text])) == [text]


def test_the_policy_lets_the_pages_own_script_and_style_run_and_no_other():
    page = make_page({})
    policy = dict(
        part.split(" ", 1)
        for part in re.search(r'Policy" content="([^"]*)"', page)[1].replace("&#39;", "'").split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    for kind, tag in (("script-src", "<script>"), ("style-src", "<style>")):
        text = page.split(tag)[1].split(f"</{tag[1:]}")[0]
        assert policy[kind] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_a_page_without_an_explorer_runs_nothing():
    page = render("explore.html", {"title": "t"})
    assert "<script" not in page
    assert "script-src &#39;none&#39;" in page
