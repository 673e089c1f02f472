"""Decoded images are hashed once, when they are decoded: a later start reads none of them, and still sees damage."""

import json
import os
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.conftest import save_noise

from netgaze.data import cache, facts, parallel
from netgaze.data.cache import decode_cached
from netgaze.data.decode import Form
from netgaze.data.folder import Folder
from netgaze.data.manifest import stat_files
from netgaze.data.parallel import _Workers, map_ahead, map_files
from netgaze.data.pixels import crop_center
from netgaze.errors import NetgazeError
from netgaze.files import InParts, cache_root, digest

FORM = Form(8, 3, "crop")
FACTS = {"num_classes": 2, "num_channels": 3, "image_size": 8, "mean": (0.5,), "std": (0.25,)}


@pytest.fixture
def photos(tmp_path):
    """Two classes of twelve pictures of noise."""
    save_noise(tmp_path / "photos", 12)
    return tmp_path / "photos"


@pytest.fixture
def mixed(photos):
    """The same with two that are broken, two that are equal, and three of 16 bits."""
    (photos / "cat" / "03.png").write_bytes(b"<html>")
    (photos / "dog" / "11.png").write_bytes((photos / "dog" / "10.png").read_bytes()[:60])
    shutil.copy(photos / "cat" / "05.png", photos / "dog" / "01.png")
    for number in (0, 5, 7):
        Image.fromarray(np.full((9, 9), 1000 * number + 95, np.uint16)).save(photos / "dog" / f"{number:02}.png")
    return photos


def open_folder(root, **changes):
    return Folder(dir=str(root), **FACTS | changes)


def list_files(root):
    return sorted(map(str, root.rglob("*.png")))


@pytest.fixture
def hashed(monkeypatch):
    """How many images were hashed since."""
    seen = []
    for module, name in ((cache, "hash_pictures"), (facts, "_read_pixels")):
        known = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, known=known: seen.append(args) or known(*args))
    return seen


def test_a_later_start_reads_no_image(photos, hashed):
    first = open_folder(photos)
    prints = first.fingerprint, first.eval_fingerprint
    hashed.clear()
    again = open_folder(photos)
    assert (again.fingerprint, again.eval_fingerprint) == prints
    assert hashed == []


@pytest.mark.parametrize("changes", [{}, {"limit": 9}, {"per_class": 3}, {"image_size": 6}], ids=str)
def test_fingerprints_are_those_of_all_pixels(photos, changes):
    """By the formula of version 0.1, on whole arrays; the same from the cache."""
    data = open_folder(photos, **changes)
    data.setup()
    parts = [data.mean, data.std, data.class_names]
    for name in ("test", "train", "val"):
        parts += [name, data.splits[name].images.permute(0, 2, 3, 1).numpy(), data.labels(name).numpy()]
    evaluated = [data.class_names]
    for name in ("val", "test"):
        seen = crop_center(data.splits[name].images, data.window)
        evaluated += [name, seen.permute(0, 2, 3, 1).numpy(), data.labels(name).numpy()]
    for each in (data, open_folder(photos, **changes)):
        assert each.fingerprint == digest(*parts)
        assert each.eval_fingerprint == digest(*evaluated)


def test_other_parts_of_one_cache_have_other_fingerprints(photos):
    made = [open_folder(photos, **changes) for changes in ({}, {"split_seed": 1}, {"limit": 9}, {"per_class": 2})]
    assert len({data.fingerprint for data in made}) == 4
    assert len(list(cache_root().glob("folder/*.npy"))) == 2, "of another split another order"


def test_a_digest_in_parts_is_that_of_the_whole():
    whole = np.arange(60, dtype=np.uint8).reshape(10, 2, 3)
    assert digest("a", InParts("uint8", whole.shape, iter([whole[:4], whole[4:9], whole[9:]]))) == digest("a", whole)


def test_other_images_of_the_same_labels_have_other_fingerprints(photos):
    first, other = (open_folder(photos, per_class=2, seed=seed) for seed in (0, 1))
    assert first.labels("train").tolist() == other.labels("train").tolist()
    assert first.fingerprint != other.fingerprint


def test_a_picture_of_the_same_size_that_changed_is_decoded_anew(photos):
    path = photos / "cat" / "00.png"
    path = path.rename(path.with_suffix(".bmp"))
    for shade in (9, 200):
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(path)
        os.utime(path, (shade, shade))
        assert (decode_cached(photos, [path], FORM).images == shade).all()


def decoded_file():
    (path,) = cache_root().glob("folder/*.npy")
    return path


def test_a_copied_cache_is_checked_once_and_kept(photos, hashed):
    first = decode_cached(photos, list_files(photos), FORM).images.clone()
    os.utime(decoded_file(), (1, 1))
    hashed.clear()
    for expected in (1, 1):
        assert torch.equal(decode_cached(photos, list_files(photos), FORM).images, first)
        assert len(hashed) == expected
    assert decoded_file().stat().st_mtime == 1, "checked, not decoded anew"


@pytest.mark.parametrize("damage", ["pixel", "end", "manifest", "no manifest", "other rows"])
def test_damage_is_seen_and_mended(photos, damage):
    first, path = decode_cached(photos, list_files(photos), FORM).images.clone(), decoded_file()
    content, manifest = path.read_bytes(), path.with_suffix(".json")
    if damage == "pixel":
        path.write_bytes(content[:-5] + bytes([content[-5] ^ 255]) + content[-4:])
    elif damage == "end":
        path.write_bytes(content[:-5])
    elif damage == "manifest":
        manifest.write_text("{", encoding="utf-8")
    elif damage == "no manifest":
        manifest.unlink()
    else:
        np.save(path, np.zeros((3, 8, 8, 3), np.uint8))
    assert torch.equal(decode_cached(photos, list_files(photos), FORM).images, first)


def test_processes_read_what_threads_read(mixed, monkeypatch):
    """To the byte: rows, what is lost, ranges, equal ones."""
    files, results = list_files(mixed), []
    for many in (10_000, 2):
        monkeypatch.setattr(parallel, "_MANY", many)
        monkeypatch.setattr(parallel, "_AT_ONCE", 5)
        monkeypatch.setattr(parallel, "count_cores", lambda: 2)
        decode_cached(mixed, files, FORM)
        manifest = json.loads(decoded_file().with_suffix(".json").read_text(encoding="utf-8"))
        results.append((np.load(decoded_file()), {key: manifest[key] for key in manifest if key != "file"}))
        shutil.rmtree(cache_root() / "folder")
    (rows, said), (others, again) = results
    assert np.array_equal(rows, others)
    assert said == again
    assert said["unreadable"] == {"a web page, of a download that failed": [3], "cannot be read": [23]}
    assert said["equal"] == [[5, 13]]
    assert said["ranges"] == {"whole": [0.0, 16383.0]}
    assert said["num"] == 22
    assert not rows[22:].any(), "rows that are left stay black"
    for row, number in enumerate(number for number in range(24) if number not in (3, 23)):
        if number not in (12, 17, 19):
            assert np.array_equal(rows[row], np.asarray(Image.open(files[number]).resize((8, 8), 2, (0, 0.5, 9, 9.5))))
        else:
            assert (rows[row] == round((1000 * (number - 12) + 95) / 16383 * 255)).all()


def test_a_process_that_ends_is_said(photos, monkeypatch, says):
    monkeypatch.setattr(parallel, "_MANY", 2)
    monkeypatch.setattr(parallel, "count_cores", lambda: 2)
    with says("A process that reads images was killed"):
        list(map_files(partial(os.kill, 0), list_files(photos)))  # which takes no number and list


def test_no_process_is_left_behind(photos, monkeypatch):
    monkeypatch.setattr(parallel, "_MANY", 2)
    monkeypatch.setattr(parallel, "_AT_ONCE", 1)
    monkeypatch.setattr(parallel, "count_cores", lambda: 2)
    started, create = [], _Workers.__init__

    def note(self, *args):
        create(self, *args)
        started.extend(self._all)

    monkeypatch.setattr(_Workers, "__init__", note)
    results = map_files(stat_files, list_files(photos))
    assert len(next(results)) == 1
    results.close()
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_no_more_than_so_many_results_wait(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    begun = []
    with ThreadPoolExecutor(1) as pool:
        for number, result in enumerate(map_ahead(pool, lambda each: begun.append(each) or -each, range(50), 4)):
            assert result == -number
            assert len(begun) <= number + 5
    assert begun == list(range(50))


def test_unwritable_words_name_the_cache(photos, monkeypatch):
    monkeypatch.setenv("NETGAZE_CACHE", str(photos / "cat" / "00.png"))
    with pytest.raises(NetgazeError, match="NETGAZE_CACHE"):
        decode_cached(photos, list_files(photos), FORM)
