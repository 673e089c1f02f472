"""A set is found by its own folder, by the one around it and by its archive, and is the same data each time."""

import shutil

import pytest
from tests.data.conftest import FOLDER as CIFAR
from tests.data.test_cifar10 import opened as open_cifar
from tests.data.test_decathlon import opened as open_decathlon
from tests.data.test_decathlon import signs  # noqa: F401
from tests.data.test_meglass import glasses  # noqa: F401
from tests.data.test_meglass import opened as open_meglass
from tests.data.test_miniplaces import made as open_miniplaces
from tests.data.test_miniplaces import places  # noqa: F401

from netgaze.data.count import count_categories, count_identities
from netgaze.data.home import Home
from netgaze.errors import NetgazeError

SETS = {
    "decathlon": ("signs", "decathlon-1.0", open_decathlon),
    "meglass": ("glasses", "meglass", open_meglass),
    "miniplaces": ("places", "miniplaces", open_miniplaces),
}


@pytest.mark.parametrize("name", SETS)
def test_the_own_folder_and_the_one_around_it_are_the_same_data(name, request, tmp_path):
    fixture, folder, opened = SETS[name]
    found = request.getfixturevalue(fixture)
    own = found if found.name == folder else found / folder
    before = sorted(path for path in own.parent.rglob("*"))
    prints = {opened(place).fingerprint for place in (own, own.parent, f"{own}/")}
    assert sorted(path for path in own.parent.rglob("*")) == before  # nothing was downloaded or unpacked into it
    renamed = shutil.copytree(own, tmp_path / "elsewhere" / "of my own")
    assert prints == {opened(renamed).fingerprint}


def test_cifar_by_its_own_folder(cifar_files, tmp_path):
    own = cifar_files / CIFAR
    assert open_cifar(own, download=False).fingerprint == open_cifar(cifar_files, download=False).fingerprint
    (tmp_path / CIFAR).mkdir()
    with pytest.raises(NetgazeError, match=r"data_batch_1 is missing\. Put it there, or name another folder"):
        open_cifar(tmp_path / CIFAR, url=(tmp_path / "mirror").as_uri()).setup()
    assert list((tmp_path / CIFAR).iterdir()) == []


def test_classes_are_counted_by_either_folder(signs, glasses):  # noqa: F811
    (own,) = signs.glob("decathlon-1.0")
    assert count_categories(str(own), "signs", 99) == count_categories(str(signs), "signs", 99) != 99
    assert count_identities(str(glasses), 99) == count_identities(str(glasses.parent), 99) != 99


def test_where_a_set_lies(tmp_path):
    home = Home("pets", ("cats/*.txt",), "pets.tar.gz")
    assert home.find(tmp_path) == tmp_path / "pets"  # where it shall be
    assert home.find(tmp_path / "pets") == tmp_path / "pets"
    assert home.find_archive(tmp_path) == home.find_archive(tmp_path / "pets") == tmp_path / "pets.tar.gz"
    (tmp_path / "cats").mkdir()
    assert home.find(tmp_path) == tmp_path / "pets"
    (tmp_path / "cats" / "list.txt").write_text("")
    assert home.find(tmp_path) == tmp_path
    (tmp_path / "pets").mkdir()
    assert home.find(tmp_path) == tmp_path / "pets"
    archive = tmp_path / "downloads" / "pets (1).tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(b"")
    assert home.find(archive) == tmp_path / "downloads" / "pets"
    assert home.find_archive(archive) == archive
