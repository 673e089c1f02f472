"""MeGlass: names, lists and protocols against naive loops, what can be wrong with its files, and the real lists."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from tests.conftest import composed

from netgaze.data import meglass as module
from netgaze.data.cache import Decoded
from netgaze.data.count import count_identities, parse_identity
from netgaze.data.faces import GLASSES
from netgaze.data.meglass import LISTS, PROTOCOLS, MeGlass, read_labels, read_list
from netgaze.errors import NetgazeError

STATS = {"num_channels": 3, "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
BARE, BLACK = 3, 4  # photos of each person without and with glasses
# What each protocol compares with what (Guo et al. 2018).
NAIVE = {
    "I: without - without": (["gallery_no_glass"], ["probe_no_glass"]),
    "II: with - with": (["gallery_black_glass"], ["probe_black_glass"]),
    "III: without - with": (["gallery_no_glass"], ["probe_black_glass"]),
    "IV: all - all": (["gallery_no_glass", "gallery_black_glass"], ["probe_no_glass", "probe_black_glass"]),
}


def person_of(number):
    """Two people share a name up to the first @, as albums of one photographer do."""
    return f"{1000 + number // 2}@N00_identity_{number % 2}"


def photo_of(number, photo):
    return f"{person_of(number)}@{7 * photo}_0.jpg"


def color_of(number, photo):
    return (5 * number, 20 * photo, 200)


def write_meglass(root, num_people=12, num_listed=6, num_photos=BARE + BLACK):
    """`num_people` people, of whom the last `num_listed` are in the four lists."""
    folder = root / "MeGlass_120x120"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "test").mkdir(exist_ok=True)
    labels, lists = [], {name: [] for name in LISTS}
    for number in range(num_people):
        for photo in range(num_photos):
            # By its name a JPEG; as PNG its colors stay exact.
            Image.new("RGB", (20, 20), color_of(number, photo)).save(folder / photo_of(number, photo), format="PNG")
            labels.append(f"{photo_of(number, photo)} {int(photo >= BARE)}")
        if number >= num_people - num_listed:
            for name, photo in zip(LISTS, (0, BARE, 2, BARE + 2), strict=True):
                lists[name].append(photo_of(number, photo))
    (root / "meta.txt").write_text("\n".join(labels) + "\n")
    for place, (name, listed) in enumerate(lists.items()):
        rolled = listed[place:] + listed[:place]  # each list in an order of its own
        (root / "test" / f"{name}.txt").write_text("\n".join(rolled) + "\n")
    return root


@pytest.fixture
def glasses(tmp_path):
    return write_meglass(tmp_path / "meglass")


def opened(root, num_classes=12, **changes):
    return MeGlass(**({"dir": str(root), "num_classes": num_classes, "image_size": 8} | STATS | changes))


def names_of(images):
    return [photo_of(red // 5, green // 20) for red, green, _ in images[:, :, 0, 0].tolist()]


def people_of(data, split):
    """By the pixels, and that the labels say the same."""
    people = [parse_identity(name) for name in names_of(data.images(split))]
    assert people == [data.class_names[label] for label in data.labels(split)]
    return set(people)


def lines(root, name):
    return (root / "test" / f"{name}.txt").read_text().split()


def naive_pairs(root, protocol, kept=None):
    gallery, probe = NAIVE[protocol]
    found = Counter()
    for one in (name for list_ in gallery for name in lines(root, list_)):
        for other in (name for list_ in probe for name in lines(root, list_)):
            if kept is None or (parse_identity(one) in kept and parse_identity(other) in kept):
                found[one, other] += 1
    return found


def own_pairs(data, protocol):
    gallery, probe = data.comparisons("test")[protocol]
    names = names_of(data.images("test"))
    return Counter((names[one], names[other]) for one in gallery.tolist() for other in probe.tolist())


def test_photos_people_and_glasses(glasses):
    data = opened(glasses)
    whole = data.photos()
    assert names_of(whole.images) == [photo_of(number, photo) for number in range(12) for photo in range(BARE + BLACK)]
    assert data.class_names == [person_of(number) for number in range(12)]
    assert whole.labels.tolist() == [number for number in range(12) for _ in range(BARE + BLACK)]
    assert whole.marks[GLASSES].tolist() == [photo >= BARE for photo in range(BARE + BLACK)] * 12
    for name in LISTS:
        marked = [photo for photo, listed in zip(names_of(whole.images), whole.marks[name], strict=True) if listed]
        assert sorted(marked) == sorted(lines(glasses, name))


def test_the_people_of_the_lists_are_the_test_and_nobody_else(glasses):
    data = opened(glasses)
    assert people_of(data, "test") == {person_of(number) for number in range(6, 12)}
    others = people_of(data, "train"), people_of(data, "val")
    assert [len(some) for some in others] == [4, 2]
    assert set.union(*others) == {person_of(number) for number in range(6)}
    listed = sorted(photo for name in LISTS for photo in lines(glasses, name))
    assert sorted(names_of(data.images("test"))) == listed
    assert len(data.labels("train")) == 4 * (BARE + BLACK)


def test_someone_of_a_single_list_is_tested_too(glasses):
    path = glasses / "test" / "probe_no_glass.txt"
    path.write_text(path.read_text() + photo_of(0, 1) + "\n")
    data = opened(glasses)
    assert people_of(data, "test") == {person_of(number) for number in (0, *range(6, 12))}
    assert data.labels("test").tolist().count(0) == 1


def test_validation_is_drawn_of_those_who_are_not_tested(glasses):
    drawn = {frozenset(people_of(opened(glasses, split_seed=seed), "val")) for seed in range(12)}
    assert len(drawn) > 4
    assert {len(some) for some in drawn} == {2}
    assert len(people_of(opened(glasses, num_val_people=3), "val")) == 3


@pytest.mark.parametrize("protocol", NAIVE)
def test_the_protocols_are_those_of_a_double_loop(glasses, protocol):
    data = opened(glasses)
    assert list(data.comparisons("test")) == list(NAIVE) == list(PROTOCOLS)
    found = own_pairs(data, protocol)
    assert found == naive_pairs(glasses, protocol)
    num_each = 2 if protocol.startswith("IV") else 1
    same = sum(parse_identity(one) == parse_identity(other) for one, other in found.elements())
    assert (same, found.total() - same) == (6 * num_each**2, 6 * 5 * num_each**2)


@pytest.mark.parametrize("seed", range(4))
def test_drawn_test_people_keep_the_protocols_to_themselves(tmp_path, seed):
    root = write_meglass(tmp_path, num_listed=12)
    data = opened(root, num_test_people=4, num_val_people=3, split_seed=seed)
    tested = people_of(data, "test")
    assert [len(people_of(data, split)) for split in ("train", "val", "test")] == [5, 3, 4]
    assert not tested & (people_of(data, "train") | people_of(data, "val"))
    assert len(data.labels("test")) == 4 * 4
    assert len(data.labels("train")) == 5 * (BARE + BLACK)
    for protocol in NAIVE:
        assert own_pairs(data, protocol) == naive_pairs(root, protocol, tested)


def test_drawn_test_people_change_with_the_seed_as_folds_do(tmp_path):
    root = write_meglass(tmp_path, num_listed=12)
    tested = [people_of(opened(root, num_test_people=4, split_seed=seed), "test") for seed in range(3)]
    assert sum(map(len, tested)) == len(set.union(*tested)) == 12


def test_test_people_of_whom_no_list_names_anyone(glasses, says):
    """Six of twelve are listed: seeds are sought that draw two others."""
    listed = {person_of(number) for number in range(6, 12)}
    failed = 0
    for seed in range(12):
        data = opened(glasses, num_test_people=2, split_seed=seed)
        whole = data.photos()
        if not listed & {data.class_names[number] for number in data.people(whole)["test"]}:
            failed += 1
            with says("the 0 people of the test split who have images.*data.split_seed"):
                data.setup()
    assert failed


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_splits_are_compared_by_glasses(glasses, split):
    data = opened(glasses)
    found = data.comparisons(split)
    assert list(found) == ["all pairs", "without glasses", "with glasses", "mixed"]
    bare, glassed = found["mixed"]
    worn = [int(name.split("@")[-1].split("_")[0]) // 7 >= BARE for name in names_of(data.images(split))]
    assert [index for index, one in enumerate(worn) if one] == glassed.tolist()
    assert [index for index, one in enumerate(worn) if not one] == bare.tolist()


def test_trained_without_glasses(glasses):
    data = opened(glasses, glasses="test")
    assert len(data.labels("train")) == 4 * BARE
    assert len(data.labels("test")) == 6 * 4


@pytest.mark.parametrize("changes", [{}, {"limit": 24}, {"per_class": 2}], ids=str)
def test_lists_that_name_everyone_leave_the_test_alone(tmp_path, changes, says):
    root = write_meglass(tmp_path, num_listed=12)
    data = opened(root, **changes)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 0,
        "val": 0,
        "test": min(changes.get("limit", 48), 48),
    }
    assert len(data.fingerprint) == len(data.eval_fingerprint) == 16
    assert list(data.batches("val")) == []
    assert sum(len(batch) for batch in data.batches("test")) == len(data.labels("test"))
    if not changes:
        assert own_pairs(data, "IV: all - all") == naive_pairs(root, "IV: all - all")
    with says(r"The lists of MeGlass name all 12 people, .*Type data\.num_test_people=500"):
        data.train_dataloader()


@pytest.mark.parametrize(("num_listed", "num_val", "words"), [(9, None, "leave 3 people"), (11, 2, "leave 1 people")])
def test_lists_that_leave_too_few(tmp_path, num_listed, num_val, words, says):
    root = write_meglass(tmp_path, num_listed=num_listed)
    with says(rf"The lists of MeGlass {words}, but validation and training take two each"):
        opened(root, num_val_people=num_val).setup()


@pytest.mark.parametrize("num_val", [0, 1, 5])
def test_a_number_of_validation_people_that_cannot_be(glasses, num_val, says):
    with says(rf"data\.num_val_people={num_val} must be from 2 to 4: the lists of MeGlass leave 6 people"):
        opened(glasses, num_val_people=num_val).setup()


@pytest.mark.parametrize(("num", "num_test", "expected"), [(12, None, 2), (100, None, 15), (110, 10, 15)])
def test_null_is_fifteen_percent_and_two_at_least(tmp_path, num, num_test, expected):
    assert opened(tmp_path, num, num_test_people=num_test).num_val_people == expected


def test_training_batches(glasses):
    data = opened(glasses, images_per_person=3, batch_size=6)
    for batch in data.train_dataloader():
        people = [data.class_names[label] for label in batch.labels]
        assert [parse_identity(name) for name in names_of(batch.images)] == people
        assert len(batch.labels.unique()) == 2


@pytest.mark.parametrize(
    ("photo", "person"),
    [
        ("10032527@N08_identity_4@2582182573_0.jpg", "10032527@N08_identity_4"),
        ("a@b@c@1.jpg", "a@b@c"),
        ("a b@1.jpg 1", "a b"),
        ("x@1.jpg", "x"),
    ],
)
def test_a_person_is_a_name_up_to_the_last_at(photo, person):
    assert parse_identity(photo) == person


def edit(root, name, change):
    """Change a file's lines; where it then lies."""
    path = root / name
    content = path.read_text().splitlines()
    change(content)
    path.write_text("\n".join(content) + "\n")
    return path


def test_a_photo_of_the_labels_that_is_not_there(glasses, says):
    for photo in (5, 1):
        (glasses / "MeGlass_120x120" / photo_of(2, photo)).unlink()
    with says(rf"meglass/meta\.txt names {photo_of(2, 5)}, which is not in .*MeGlass_120x120 \(2 of 84 are not\)"):
        opened(glasses).setup()


@pytest.mark.parametrize("name", LISTS)
def test_a_photo_of_a_list_that_is_not_there(glasses, name, says):
    edit(glasses, f"test/{name}.txt", lambda content: content.append("1003@N00_identity_1@99_0.jpg"))
    with says(rf"test/{name}\.txt names 1003@N00_identity_1@99_0\.jpg, which is not in .*\(1 of 7 are not\)"):
        opened(glasses).setup()


@pytest.mark.parametrize("name", LISTS)
def test_a_photo_of_a_list_that_has_no_label(glasses, name, says):
    photo = lines(glasses, name)[3]
    edit(glasses, "meta.txt", lambda content: content.remove(next(line for line in content if photo in line)))
    with says(rf"test/{name}\.txt names {photo}, but meta\.txt does not say whether it shows glasses"):
        opened(glasses).setup()


def test_no_photos_at_all(glasses, says):
    for path in (glasses / "MeGlass_120x120").iterdir():
        path.unlink()
    (glasses / "MeGlass_120x120").rmdir()
    with says(r"\(84 of 84 are not\)\. Unpack all of MeGlass_120x120\.zip there"):
        opened(glasses).setup()


@pytest.mark.parametrize("line", ["x@1.jpg", "x@1.jpg 2", "x@1.jpg yes", "x.jpg 1", "x@1.jpg  ", "x@1.jpg\t1"])
@pytest.mark.parametrize("before", [[], [""], ["", "  "]], ids=["", "an empty line", "two"])
def test_a_malformed_label(glasses, line, before, says):
    """Its number is that of the file, in which empty lines count."""
    edit(glasses, "meta.txt", lambda content: content.__setitem__(slice(4, 4), [*before, line]))
    number = 5 + len(before)
    with says(rf"meta\.txt, line {number}: expected a photo's name and 0 or 1, got x"):
        opened(glasses).setup()


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("before", [[], [""]], ids=["", "an empty line"])
def test_a_malformed_line_of_a_list(glasses, name, before, says):
    edit(glasses, f"test/{name}.txt", lambda content: content.__setitem__(slice(2, 2), [*before, "nobody.jpg"]))
    with says(rf"test/{name}\.txt, line {3 + len(before)}: expected a photo's name with an @ in it, got nobody\.jpg"):
        opened(glasses).setup()


def test_empty_lines_and_other_line_ends_do_not_matter(glasses):
    expected = opened(glasses).fingerprint
    for name in ("meta.txt", *(f"test/{list_}.txt" for list_ in LISTS)):
        content = (glasses / name).read_text()
        (glasses / name).write_bytes(content.replace("\n", "\r\n\r\n").encode())
    assert opened(glasses).fingerprint == expected


def test_no_labels(glasses, tmp_path, says):
    (glasses / "meta.txt").unlink()
    for root in (glasses, tmp_path / "nowhere"):
        with says(rf"MeGlass is not at {root}: there is no meta\.txt\. Get MeGlass_120x120\.zip.*by hand"):
            opened(root).setup()


@pytest.mark.parametrize("name", LISTS)
def test_a_missing_list(glasses, name, says):
    (glasses / "test" / f"{name}.txt").unlink()
    with says(rf"test/{name}\.txt cannot be read \(No such file or directory\)\. It comes with MeGlass"):
        opened(glasses).setup()


def test_a_list_that_is_no_text(glasses, says):
    (glasses / "test" / "probe_no_glass.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with says(r"probe_no_glass\.txt cannot be read"):
        opened(glasses).setup()


def test_corrupt_photos_are_left_out_and_named(glasses):
    bad = [photo_of(0, 1), photo_of(8, 0)]  # one to train on, one of gallery_no_glass
    for name in bad:
        (glasses / "MeGlass_120x120" / name).write_bytes(b"no image")
    data = opened(glasses)
    seen = {name for split in ("train", "val", "test") for name in names_of(data.images(split))}
    assert not seen & set(bad)
    (said,) = [each for each in data.found.list_warnings() if "cannot be read" in each]
    assert "Left out 2 of 84 images" in said
    assert all(name in said for name in bad)
    for protocol in NAIVE:
        pairs = naive_pairs(glasses, protocol)
        assert own_pairs(data, protocol) == Counter({pair: n for pair, n in pairs.items() if bad[1] not in pair})


def test_wrong_settings(glasses, says):
    with says(r"MeGlass has 12 classes, but data\.num_classes=1710\. Type data\.num_classes=12"):
        opened(glasses, 1710, num_val_people=2).setup()
    with says(r"data\.num_channels=2 is not possible"):
        opened(glasses, num_channels=2, mean=[0.5] * 2, std=[0.2] * 2)
    with says(r"data\.num_test_people=9 must each be 2 or more"):
        opened(glasses, num_test_people=9).setup()


def test_the_people_are_counted_without_torch(glasses, tmp_path):
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "meta.txt").write_bytes(b"\xff\xfe\x00@")
    script = (
        "import sys; from netgaze.data.count import count_identities as count; "
        f"print(count({str(glasses)!r}, 1710), count({str(glasses.parent)!r}, 1710), "
        f"count({str(tmp_path / 'nowhere')!r}, 1710), "
        f"count({str(tmp_path / 'binary')!r}, 99), 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["12", "12", "1710", "99", "False", "False"]


def test_the_yaml_counts_the_people(glasses):
    data = instantiate(composed("data=meglass", f"data.dir='{glasses}'", "data.image_size=8").data)
    assert data.num_classes == 12
    assert len(data.labels("test")) == 24


def test_the_real_labels(real_meglass):
    worn = read_labels(real_meglass / "meta.txt")
    assert len((real_meglass / "meta.txt").read_text().splitlines()) == len(worn) == 47_917
    assert len({parse_identity(name) for name in worn}) == count_identities(str(real_meglass), 0) == 1710
    assert sum(worn.values()) == 14_832
    each = Counter((parse_identity(name), worn[name]) for name in worn)
    assert min(each.values()) >= 2, "everyone has two photos with glasses and two without"
    assert len(each) == 2 * 1710


def test_the_real_lists(real_meglass):
    worn = read_labels(real_meglass / "meta.txt")
    lists = {name: read_list(real_meglass / "test" / f"{name}.txt") for name in LISTS}
    for name, listed in lists.items():
        assert len({parse_identity(photo) for photo in listed}) == len(set(listed)) == len(listed) == 1710
        assert {worn[photo] for photo in listed} == {"black" in name}
    gallery = {photo for name, listed in lists.items() if name.startswith("gallery") for photo in listed}
    probe = {photo for name, listed in lists.items() if name.startswith("probe") for photo in listed}
    assert len(gallery) == len(probe) == 3420
    assert not gallery & probe


@pytest.fixture
def real_without_images(real_meglass, monkeypatch):
    """The real names and lists, each photo a single pixel."""

    def black(root, files, form):
        return Decoded(torch.zeros(len(files), 3, 1, 1, dtype=torch.uint8), np.ones(len(files), dtype=bool))

    monkeypatch.setattr(module, "decode_cached", black)
    monkeypatch.setattr(MeGlass, "_check_photos", lambda *args: None)
    return lambda **changes: opened(real_meglass, 1710, image_size=1, **changes)


def num_pairs(data, protocol):
    """(same, different) pairs of a protocol, by counts of each person's photos on both sides."""
    labels, (gallery, probe) = data.labels("test"), data.comparisons("test")[protocol]
    one, other = (torch.bincount(labels[side], minlength=1710) for side in (gallery, probe))
    same = int((one * other).sum())
    return same, len(gallery) * len(probe) - same


def test_the_published_numbers_of_pairs(real_without_images, says):
    data = real_without_images()
    assert [len(data.labels(split)) for split in ("train", "val", "test")] == [0, 0, 6840]
    assert {protocol: num_pairs(data, protocol) for protocol in data.comparisons("test")} == {
        "I: without - without": (1710, 2_922_390),
        "II: with - with": (1710, 2_922_390),
        "III: without - with": (1710, 2_922_390),
        "IV: all - all": (6840, 11_689_560),
    }
    with says("name all 1710 people"):
        data.train_dataloader()


def test_the_real_set_divided(real_without_images):
    data = real_without_images(num_test_people=500)
    assert num_pairs(data, "I: without - without") == (500, 500 * 499)
    assert num_pairs(data, "IV: all - all") == (2000, 4 * 500 * 499)
    assert [len(data.labels(split).unique()) for split in ("train", "val", "test")] == [1028, 182, 500]
    assert len(list(data.training_batches(data.labels("train"), 0, 1))) > 100


def test_the_real_folder_says_what_it_lacks(real_meglass):
    there = {path.name for path in (real_meglass / "MeGlass_120x120").glob("*")}
    if len(there) >= 47_917:
        pytest.skip("all photos are here")
    with pytest.raises(NetgazeError, match=rf"meta\.txt names .* \({47_917 - len(there)} of 47917 are not\)"):
        opened(real_meglass, 1710).setup()
