"""Pictures come in the order of their paths, folder by folder, whatever lies beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgaze.folders.scan import Names, Scan, scan

WORDS = st.sampled_from(["a", "b", "a.png", "b.png", "c.png", "ab", "Z", "é"])


@given(st.sets(st.lists(WORDS, min_size=1, max_size=4).map(tuple), max_size=12), st.lists(WORDS, max_size=2).map(tuple))
def test_what_lies_below_a_folder_is_sorted_by_path(places, folder):
    places = {place for place in places if not any(other[: len(place)] == place != other for other in places)}
    pictures: dict[tuple[str, ...], list[str]] = {}
    for place in sorted(places):
        pictures.setdefault(place[:-1], []).append(place[-1])
    found, num = Scan("root", pictures), len(folder)
    inside = sorted(place for place in places if place[:num] == folder and len(place) > num)
    assert found.list_below(folder) == inside
    assert found.list_folders(folder) == sorted({place[num] for place in inside if len(place) > num + 1})


@pytest.mark.parametrize("end", ["", "/"])
def test_many_are_located_as_one_is(tmp_path, end):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for place in ("x.PNG", "a/y.jpg", "a/b/z.tif"):
        (tmp_path / place).write_bytes(b"")
    found = scan(f"{tmp_path}{end}")
    places = found.list_below(())
    assert places == [("a", "b", "z.tif"), ("a", "y.jpg"), ("x.PNG",)]
    assert found.locate_all(places) == [found.locate(place) for place in places]


def test_names_are_made_when_they_are_asked_for():
    names = Names([("cafe\u0301", "1.png"), ("b\udce9", "2.png")])
    assert (len(names), names[0], names[1]) == (2, "caf\u00e9/1.png", "b\u00e9/2.png")
    assert list(names) == ["caf\u00e9/1.png", "b\u00e9/2.png"]
