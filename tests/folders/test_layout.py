"""Folders as people lay them out: parts, classes, tables of labels, and what is left out with a word."""

import os
import sys
import unicodedata

import pytest

from netgaze.errors import NetgazeError
from netgaze.folders.layout import Reading, read_folder
from netgaze.folders.scan import make_readable, scan

PNG = b"\x89PNG\r\n\x1a\n"


def put(root, *paths):
    """Files that begin like PNG: names alone say what they are."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(PNG)


def put_classes(root, parts, classes, num=2):
    put(root, *(f"{part}/{name}/{n}.png" for part in parts for name in classes for n in range(num)))


def read(root, **reading):
    return read_folder(str(root), Reading(**reading))


def counts(layout):
    return {part: len(own.pictures) for part, own in layout.parts.items()}


def labeled(layout, part="train"):
    own = layout.parts[part]
    return {"/".join(place): name for place, name in zip(own.pictures, own.classes, strict=True)}


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (["train", "val", "test"], ["train", "val", "test"]),
        (["train", "valid"], ["train", "val"]),
        (["training_set", "test_set"], ["train", "test"]),
        (["Training", "Validation", "Testing"], ["train", "val", "test"]),
        (["TRAIN", "dev", "eval"], ["train", "val", "test"]),
        (["train"], ["train"]),
        (["train-set", "test set"], ["train", "test"]),
    ],
)
def test_parts_are_found_by_the_names_that_people_give_them(tmp_path, folders, parts):
    put_classes(tmp_path, folders, ["cat", "dog"])
    layout = read(tmp_path)
    assert counts(layout) == dict.fromkeys(parts, 4)
    assert layout.class_names == ["cat", "dog"]
    for folder, part in zip(folders, parts, strict=True):
        assert {place[0] for place in layout.parts[part].pictures} == {folder}


def test_parts_beside_other_folders_are_asked_about_and_both_answers_work(tmp_path):
    put_classes(tmp_path, ["train", "test", "Meta"], ["a", "b"])
    with pytest.raises(
        NetgazeError, match=r"folders train, test beside Meta.*data\.parts=\{train:train,test:test\}.*none"
    ):
        read(tmp_path)
    assert counts(read(tmp_path, parts={"train": "train", "test": "test"})) == {"train": 4, "test": 4}
    layout = read(tmp_path, parts="none")
    assert counts(layout) == {"train": 12}
    assert layout.class_names == ["Meta", "test", "train"]


def test_other_folders_without_pictures_are_no_question(tmp_path):
    put_classes(tmp_path, ["train", "val"], ["a", "b"])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.xml").write_text("<x/>")
    assert counts(read(tmp_path)) == {"train": 4, "val": 4}


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["train", "training"], "train and training, which are all names for train"),
        (["val", "test"], "has val, test, but no folder train"),
    ],
)
def test_parts_that_are_not_clear(tmp_path, folders, words):
    put_classes(tmp_path, folders, ["a", "b"])
    with pytest.raises(NetgazeError, match=words):
        read(tmp_path)


@pytest.mark.parametrize(
    "parts", ["some", 3, {}, {"test": "x"}, {"train": "nowhere"}, {"train": "a", "more": "b"}, {"train": None}], ids=str
)
def test_parts_that_cannot_be(tmp_path, parts):
    put_classes(tmp_path, ["train"], ["a", "b"])
    with pytest.raises(NetgazeError, match=r"data\.parts"):
        read(tmp_path, parts=parts)


def test_one_class_is_refused_with_the_likely_path(tmp_path):
    put(tmp_path, "pets/v1/cat/1.png", "pets/v1/dog/1.png")
    with pytest.raises(NetgazeError) as caught:
        read(tmp_path)
    assert str(caught.value).endswith(f"Its folders are cat, dog: data.dir={tmp_path / 'pets' / 'v1'} takes these.")
    assert read(tmp_path / "pets" / "v1").class_names == ["cat", "dog"]
    put(tmp_path / "other", "cat/1.png", "cat/2.png")
    with pytest.raises(NetgazeError, match=r"single class, cat, .* Give a folder with one folder"):
        read(tmp_path / "other")


def test_images_beside_annotations_are_no_classes_unless_it_is_said(tmp_path):
    put(tmp_path, "images/1.png", "Annotations/1.png")
    with pytest.raises(NetgazeError, match=r"Annotations, images, which do not sound like classes"):
        read(tmp_path)
    assert read(tmp_path, parts="none").class_names == ["Annotations", "images"]


def test_leaves_as_classes(tmp_path):
    put(tmp_path, "a/abbey/1.png", "a/airfield/1.png", "b/bar/1.png")
    top = read(tmp_path)
    assert top.class_names == ["a", "b"]
    (warning,) = top.warnings
    assert "data.class_folders=leaves" in warning
    assert "a/abbey, a/airfield, b/bar" in warning
    leaves = read(tmp_path, class_folders="leaves")
    assert leaves.class_names == ["a/abbey", "a/airfield", "b/bar"]
    assert not leaves.warnings
    with pytest.raises(NetgazeError, match=r"Unknown data\.class_folders=all"):
        read(tmp_path, class_folders="all")


def test_one_folder_of_the_same_name_in_each_class_is_no_leaf(tmp_path):
    put(tmp_path, *(f"{name}/images/{n}.png" for name in "ab" for n in range(2)))
    assert not read(tmp_path).warnings


def test_classes_are_matched_by_name(tmp_path):
    put_classes(tmp_path, ["train"], ["0", "180", "270"])
    put(tmp_path, "val/0/1.png", "val/180/1.png", "test/0/1.png", "test/90/1.png", "test/90/2.png")
    (tmp_path / "val" / "270").mkdir()
    layout = read(tmp_path)
    assert layout.class_names == ["0", "180", "270"]
    assert counts(layout) == {"train": 6, "val": 2, "test": 1}
    assert any("test has 2 pictures of 90, a class that training lacks" in each for each in layout.warnings)
    assert any("val/270 holds no pictures" in each for each in layout.warnings)
    assert layout.found.ignored["of a class that training lacks"] == ["test/90/1.png", "test/90/2.png"]


def test_case_and_unicode_do_not_make_other_classes(tmp_path):
    put(tmp_path, *(f"train/{unicodedata.normalize('NFC', name)}/1.png" for name in ("Café", "Dog")))
    put(tmp_path, *(f"test/{unicodedata.normalize('NFD', name)}/1.png" for name in ("Café", "DOG")))
    layout = read(tmp_path)
    assert layout.class_names == ["Café", "Dog"]
    assert layout.parts["test"].classes == ["Café", "Dog"]
    both = tmp_path / "both"
    put(both, *(f"{unicodedata.normalize(form, 'é')}/{form}.png" for form in ("NFC", "NFD")), "x/1.png")
    assert read(both).class_names == ["x", "é"]
    assert len(read(both).parts["train"].pictures) == 3


def test_parts_without_a_common_class(tmp_path):
    put_classes(tmp_path, ["train"], ["ada", "bo", "cy"])
    put_classes(tmp_path, ["test"], ["di", "ed"])
    with pytest.raises(NetgazeError, match=r"test and training share no class.*data=face_folder"):
        read(tmp_path)
    layout = read(tmp_path, own_classes=True)
    assert layout.class_names == ["ada", "bo", "cy", "di", "ed"]
    assert counts(layout) == {"train": 6, "test": 4}


def test_pictures_without_labels_are_left_out_and_said(tmp_path):
    put_classes(tmp_path, ["train"], ["a", "b"])
    put(tmp_path, "test/1.png", "test/2.png")
    layout = read(tmp_path)
    assert counts(layout) == {"train": 4}
    (warning,) = layout.warnings
    assert warning.startswith("test has no labels for its 2 pictures and is left out.")
    assert f"'images=[{tmp_path / 'test'}]'" in warning
    assert layout.found.ignored["without a label"] == ["test/1.png", "test/2.png"]


def test_pictures_outside_class_folders_are_said(tmp_path):
    put(tmp_path, "a/1.png", "b/1.png", "logo.png")
    assert read(tmp_path).found.ignored == {"outside the folders of classes": ["logo.png"]}


# Tables of labels.


def test_the_usual_table_is_found(tmp_path):
    put(tmp_path, *(f"train/{n}.png" for n in range(6)), *(f"test/{n}.png" for n in range(3)))
    (tmp_path / "trainLabels.csv").write_text("id,label\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(6)))
    (tmp_path / "sampleSubmission.csv").write_text("id,label\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(6)))
    layout = read(tmp_path)
    assert labeled(layout) == {f"train/{n}.png": "ab"[n % 2] for n in range(6)}
    assert list(layout.parts) == ["train"], "the test bears the same numbers, but the table is of training"
    assert layout.notes == ["trainLabels.csv: pictures by id, labels by label; 6 of its 6 rows name a picture"]
    assert "trainLabels.csv" not in str(layout.found.ignored)


def test_a_table_without_heads_in_the_part(tmp_path):
    put(tmp_path, *(f"train/{name}/images/{n}.JPEG" for name in ("n01", "n02") for n in range(2)))
    put(tmp_path, *(f"val/images/val_{n}.JPEG" for n in range(4)), "test/images/t.JPEG")
    rows = "".join(f"val_{n}.JPEG\tn0{n % 2 + 1}\t0\t0\t62\t62\n" for n in range(4))
    (tmp_path / "val" / "val_annotations.txt").write_text(rows)
    layout = read(tmp_path)
    assert labeled(layout, "val") == {f"val/images/val_{n}.JPEG": f"n0{n % 2 + 1}" for n in range(4)}
    assert counts(layout) == {"train": 4, "val": 4}


def test_a_table_of_paths_with_more_columns(tmp_path):
    put(tmp_path, *(f"Train/{n % 2}/{n}.png" for n in range(6)), *(f"Test/0000{n}.png" for n in range(4)))
    head = "Width,Height,ClassId,Path\n"
    (tmp_path / "Test.csv").write_text(head + "".join(f"48,{40 + n},{n % 2},Test/0000{n}.png\n" for n in range(4)))
    layout = read(tmp_path)
    assert labeled(layout, "test") == {f"Test/0000{n}.png": str(n % 2) for n in range(4)}


def test_one_table_for_all_parts_by_paths(tmp_path):
    """Names that two parts share are told apart by their folders."""
    put(tmp_path, *(f"{part}/{n}.png" for part in ("train", "test") for n in range(4)))
    rows = [
        f"{part}/{n}.png;{'xy'[(n + shift) % 2]}\n" for part, shift in (("train", 0), ("test", 1)) for n in range(4)
    ]
    (tmp_path / "labels.csv").write_text("".join(rows))
    layout = read(tmp_path)
    assert labeled(layout) == {f"train/{n}.png": "xy"[n % 2] for n in range(4)}
    assert labeled(layout, "test") == {f"test/{n}.png": "xy"[(n + 1) % 2] for n in range(4)}


def test_each_part_may_have_a_table_of_the_same_name(tmp_path):
    for part, shift in (("train", 0), ("test", 1)):
        put(tmp_path, *(f"{part}/{n}.png" for n in range(4)))
        rows = "".join(f"{n}.png,{'ab'[(n + shift) % 2]}\n" for n in range(4))
        (tmp_path / part / "metadata.csv").write_text("file_name,label\n" + rows)
    layout = read(tmp_path)
    assert labeled(layout) == {f"train/{n}.png": "ab"[n % 2] for n in range(4)}
    assert labeled(layout, "test") == {f"test/{n}.png": "ab"[(n + 1) % 2] for n in range(4)}


def test_labels_that_training_does_not_know(tmp_path):
    put_classes(tmp_path, ["train"], ["n01", "n02"])
    put(tmp_path, *(f"val/{n}.png" for n in range(4)))
    (tmp_path / "val.txt").write_text("".join(f"{n}.png {n % 2}\n" for n in range(4)))
    with pytest.raises(
        NetgazeError, match=r"val has no picture of a class that training knows: it has 0, 1, training n01"
    ):
        read(tmp_path)


def test_a_typed_table_with_a_column_of_parts(tmp_path):
    put(tmp_path, *(f"img/{n}.jpg" for n in range(6)))
    table = tmp_path / "meta data.tsv"
    parts = ["train", "train", "Training", "valid", "test", "test"]
    rows = "".join(f"{n}.jpg\t{part}\t{'ab'[n % 2]}\n" for n, part in enumerate(parts))
    table.write_text("file\tsplit\tspecies\n" + rows, encoding="utf-8-sig")
    layout = read(tmp_path, labels="meta data.tsv")
    assert counts(layout) == {"train": 3, "val": 1, "test": 2}
    assert labeled(layout, "test") == {"img/4.jpg": "a", "img/5.jpg": "b"}
    assert read(tmp_path, labels=str(table)).class_names == ["a", "b"]


def test_columns_may_be_typed_by_name_or_number(tmp_path):
    put(tmp_path, *(f"{n}.png" for n in range(4)))
    (tmp_path / "t.csv").write_text(
        "name,color,shape\n" + "".join(f"{n},{'rg'[n % 2]},{'xyz'[n % 3]}\n" for n in range(4))
    )
    assert read(tmp_path, label_column="shape").class_names == ["x", "y", "z"]
    assert read(tmp_path, label_column=2, image_column=1).class_names == ["g", "r"]
    for key in ("label_column", "image_column"):
        with pytest.raises(
            NetgazeError, match=rf"data\.{key}=size: t\.csv has no such column\. It has name, color, shape"
        ):
            read(tmp_path, labels="t.csv", **{key: "size"})


def test_what_a_table_lacks_and_what_it_has_too_many_is_said(tmp_path):
    put(tmp_path, *(f"{n}.png" for n in range(5)))
    (tmp_path / "labels.csv").write_text("image,label\n0.png,a\n1.png,b\n2.png,\n7.png,a\n")
    layout = read(tmp_path)
    assert labeled(layout) == {"0.png": "a", "1.png": "b"}
    assert layout.found.ignored == {"not listed in labels.csv": ["2.png", "3.png", "4.png"]}
    assert "labels.csv lists 1 picture that cannot be found, 7.png first." in layout.warnings
    assert "labels.csv has no label for 1 picture; left out." in layout.warnings


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image,label\n0.png,a\n0.png,b\n1.png,a\n", "lists 0.png as b and as a|lists 0.png as a and as b"),
        ("image,label\nx.png,a\ny.png,b\n", "no column names pictures"),
        ("hello\n", "fewer than two columns"),
        ("", "fewer than two columns"),
        ("image,label\n" + "0.png," * 1500 + "\n", "more than 1000 columns"),
        ("0.png," + ",".join(["x"] * 1500) + "\n", "more than 1000 columns"),
        ("\0\1\2,\0\n", "is not text"),
        ('image,label\n"0.png,' + "a" * 150_000 + "\n", "cannot be read as a table"),
        ("image,label\n" + "0.png," * 50_000 + "\n", "a line of more than 200000 characters"),
    ],
    ids=range(9),
)
def test_tables_that_do_not_fit(tmp_path, content, words):
    put(tmp_path, "0.png", "1.png")
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(NetgazeError, match=words):
        read(tmp_path, labels="labels.csv")


def test_a_giant_table_is_not_read(tmp_path):
    put(tmp_path, "0.png", "1.png")
    with open(tmp_path / "labels.csv", "wb") as file:
        file.truncate(1 << 31)  # takes no room on the disk
    with pytest.raises(NetgazeError, match=r"labels\.csv is larger than 100 MB"):
        read(tmp_path, labels="labels.csv")


def test_two_tables_are_asked_about(tmp_path):
    put(tmp_path, "0.png", "1.png")
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("0.png,a\n1.png,b\n")
    with pytest.raises(NetgazeError, match=r"several tables of labels, one\.csv and two\.csv"):
        read(tmp_path)
    with pytest.raises(NetgazeError, match=r"data\.labels=three\.csv: there is no such file"):
        read(tmp_path, labels="three.csv")


def test_labels_beside_folders_lead_nowhere_outside(tmp_path):
    """A table can only name what lies in the folder."""
    put(tmp_path / "set", "0.png", "1.png")
    put(tmp_path, "secret.png")
    (tmp_path / "set" / "labels.csv").write_text("image,label\n0.png,a\n1.png,b\n../secret.png,c\n")
    layout = read(tmp_path / "set")
    assert labeled(layout) == {"0.png": "a", "1.png": "b"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_of_spreadsheets(tmp_path, encoding):
    put(tmp_path, "0.png", "1.png")
    (tmp_path / "labels.csv").write_bytes("image,label\r\n0.png,Café\r\n1.png,Bär\r\n".encode(encoding))
    assert read(tmp_path).class_names == ["Bär", "Café"]


# What is no picture.


def test_everything_that_is_left_out_is_counted_with_its_reason(tmp_path):
    put(tmp_path, "cat/1.png", "cat/.hidden.png", "cat/._1.png", "dog/2.JFIF", "dog/3", "dog/4.heic", ".git/5.png")
    put(tmp_path, "lost+found/6.png", "__MACOSX/cat/7.png", "cat/System Volume Information/8.png", "dog/9.txt")
    (tmp_path / "dog" / "no picture").write_bytes(b"words")
    os.symlink("/nowhere/far.png", tmp_path / "dog" / "far.png")
    os.symlink(tmp_path, tmp_path / "dog" / "circle")
    found = scan(str(tmp_path))
    assert found.pictures == {("cat",): ["1.png"], ("dog",): ["2.JFIF", "3"]}
    assert {why: sorted(names) for why, names in found.ignored.items()} == {
        "hidden": [".git", "cat/._1.png", "cat/.hidden.png"],
        "system folders": ["__MACOSX", "cat/System Volume Information", "lost+found"],
        "ending .heic": ["dog/4.heic"],
        "ending .txt": ["dog/9.txt"],
        "no ending, and no picture by their first bytes": ["dog/no picture"],
        "broken links": ["dog/far.png"],
        "links that lead back to a folder above them": ["dog/circle"],
    }


def test_links_are_followed(tmp_path):
    put(tmp_path / "store", "a/1.png", "b/1.png", "b/2.png")
    data = tmp_path / "data"
    (data / "b").mkdir(parents=True)
    os.symlink(tmp_path / "store" / "a", data / "a")
    os.symlink(tmp_path / "store" / "b" / "2.png", data / "b" / "link.png")
    assert labeled(read(data)) == {"a/1.png": "a", "b/link.png": "b"}


def test_folders_without_pictures_are_named(tmp_path):
    put(tmp_path, "a/1.png", "b/1.png", "c/1.heic", "c/2.heic")
    (tmp_path / "d").mkdir()
    layout = read(tmp_path)
    assert layout.class_names == ["a", "b"]
    assert layout.warnings == [
        "c holds no pictures, only files of .heic, and is left out.",
        "d holds no pictures and is left out.",
    ]


def test_nothing_at_all(tmp_path):
    with pytest.raises(NetgazeError, match=r"holds no pictures\. Put the images of each class"):
        read(tmp_path)
    put(tmp_path, "a/1.heic", "b/1.dcm")
    with pytest.raises(NetgazeError, match=r"holds no pictures, only files of \.dcm, \.heic"):
        read(tmp_path)
    with pytest.raises(NetgazeError, match=r"Cannot read the folder .*nowhere: No such file"):
        read(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_of_any_bytes_are_readable(tmp_path):
    for name in (b"b\xe9b\xe9", b"dog"):
        os.makedirs(bytes(tmp_path) + b"/" + name)
        with open(bytes(tmp_path) + b"/" + name + b"/\xff\x9d.png", "wb") as file:
            file.write(PNG)
    layout = read(tmp_path)
    assert layout.class_names == ["bébé", "dog"]
    for place in layout.parts["train"].pictures:
        assert os.path.exists(layout.found.locate(place))
        "/".join(map(make_readable, place)).encode("utf-8")
