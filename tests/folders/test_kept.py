"""A folder is listed once as long as nothing in it changes, and whoever reads it may add to what it says."""

import os

import pytest
from PIL import Image

from netgaze.folders import kept
from netgaze.folders.kept import forget_folder, read_folder_once
from netgaze.folders.layout import Reading


def age(root):
    """As if all of it had been there for long: what is new may change again within the tick of a clock."""
    for folder, _, names in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.utime(path, (1_000_000, 1_000_000))


@pytest.fixture
def photos(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.new("RGB", (4, 4)).save(tmp_path / name / f"{number}.png")
    (tmp_path / "notes.csv").write_text("a,b\n", encoding="utf-8")
    age(tmp_path)
    forget_folder()
    yield tmp_path
    forget_folder()


@pytest.fixture
def readings(monkeypatch):
    """The folders that were read since."""
    seen, read = [], kept.read_folder
    monkeypatch.setattr(kept, "read_folder", lambda folder, reading: seen.append(folder) or read(folder, reading))
    return seen


def names(layout):
    return ["/".join(picture) for part in layout.parts.values() for picture in part.pictures]


def test_it_is_read_once(photos, readings):
    first = read_folder_once(str(photos), Reading())
    assert names(read_folder_once(str(photos), Reading())) == names(first)
    assert len(readings) == 1
    forget_folder()
    read_folder_once(str(photos), Reading())
    assert len(readings) == 2


def test_remarks_belong_to_who_asked(photos):
    for _ in range(3):
        layout = read_folder_once(str(photos), Reading())
        assert layout.notes == layout.warnings == []
        assert layout.found.ignored == {"ending .csv": ["notes.csv"]}
        layout.notes.append("a note")
        layout.warnings.append("a warning")
        layout.found.ignored["ending .csv"].append("more")
        layout.found.ignore("other", "things")


@pytest.mark.parametrize("way", ["other folder", "other reading", "new picture", "gone", "renamed", "new folder"])
def test_what_changed_is_read_again(photos, readings, way):
    read_folder_once(str(photos), Reading())
    asked, reading = str(photos), Reading()
    if way == "other folder":
        asked = str(photos) + "/."
    elif way == "other reading":
        reading = Reading(parts="none")
    elif way == "new picture":
        (photos / "cat" / "9.png").write_bytes(b"")
    elif way == "gone":
        (photos / "cat" / "1.png").unlink()
    elif way == "renamed":
        (photos / "cat" / "1.png").rename(photos / "cat" / "7.png")
    else:
        (photos / "owl").mkdir()
        Image.new("RGB", (4, 4)).save(photos / "owl" / "0.png")
    layout = read_folder_once(asked, reading)
    assert len(readings) == 2
    expected = {f"{folder}/{path.name}" for folder in os.listdir(photos) for path in (photos / folder).glob("*.png")}
    assert set(names(layout)) == expected


def test_a_table_that_changed_is_read_again(tmp_path, readings):
    for number in range(4):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.png")
    for labels in ("abab", "aabb"):
        rows = "".join(f"{number}.png,{label}\n" for number, label in enumerate(labels))
        (tmp_path / "labels.csv").write_text(f"image,label\n{rows}", encoding="utf-8")
        os.utime(tmp_path / "labels.csv", (1_000_000 + ord(labels[1]), 1_000_000))
        age_of = tmp_path.stat().st_mtime_ns
        assert "".join(read_folder_once(str(tmp_path), Reading()).parts["train"].classes) == labels, age_of


def test_a_table_that_begins_to_fit_is_read_again(photos):
    (photos / "train").mkdir()
    (photos / "test").mkdir()
    for name in ("cat", "dog"):
        (photos / name).rename(photos / "train" / name)
    for number in range(2):
        Image.new("RGB", (4, 4)).save(photos / "test" / f"{number}.png")
    (photos / "notes.csv").rename(photos / "test" / "labels.csv")
    age(photos)
    assert "test" not in read_folder_once(str(photos), Reading()).parts
    (photos / "test" / "labels.csv").write_text("image,label\n0.png,cat\n1.png,dog\n", encoding="utf-8")
    assert read_folder_once(str(photos), Reading()).parts["test"].classes == ["cat", "dog"]


def test_what_changed_just_now_is_not_relied_on(photos, readings):
    os.utime(photos / "dog")
    read_folder_once(str(photos), Reading())
    read_folder_once(str(photos), Reading())
    assert len(readings) == 2
