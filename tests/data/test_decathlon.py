"""The official layout read naively beside ours, windows and centers, and all that can be wrong with the files."""

import json
import logging
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from pytorch_lightning import Trainer
from tests.conftest import CONF, composed
from torchvision import transforms

from netgaze.commands.configs import Configs
from netgaze.commands.overrides import check_overrides
from netgaze.data.annotations import read_annotations
from netgaze.data.augment import Augment
from netgaze.data.decathlon import Decathlon
from netgaze.errors import NetgazeError

STATS = {"num_channels": 3, "image_size": 64, "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
# Not in order and with gaps: labels are places among the sorted ids.
IDS = {50000031: "yield", 50000002: "stop", 50000007: "stop"}
SETS = sorted(path.stem for path in (CONF / "data" / "decathlon").glob("[!_]*.yaml"))
# (classes, training, validation and test images), as published.
PUBLISHED = {
    "aircraft": (100, 3334, 3333, 3333),
    "cifar100": (100, 40_000, 10_000, 10_000),
    "daimlerpedcls": (2, 23_520, 5880, 19_600),
    "dtd": (47, 1880, 1880, 1880),
    "gtsrb": (43, 31_367, 7842, 12_630),
    "imagenet12": (1000, 1_232_167, 49_000, 48_238),
    "omniglot": (1623, 17_853, 6492, 8115),
    "svhn": (10, 47_217, 26_040, 26_032),
    "ucf101": (101, 7585, 1952, 3783),
    "vgg-flowers": (102, 1020, 1020, 6149),
}


def write_split(root, split, num_each, first, sizes=((72, 72), (91, 72), (72, 73))):
    """A class-sorted annotation file and its images, of random pixels."""
    rng = np.random.default_rng(first)
    images, annotations = [], []
    for category in sorted(IDS):
        for _ in range(num_each):
            number = first + len(images)
            width, height = sizes[number % len(sizes)]
            name = f"data/signs/{split}/{number:06}.png"
            path = root / "decathlon-1.0" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)
            images.append({"id": number, "width": width, "height": height, "file_name": name})
            annotations.append({"id": number, "image_id": number, "category_id": category})
    categories = [{"id": id, "name": name, "supercategory": "signs"} for id, name in IDS.items()]
    write_json(root, split, {"images": images, "annotations": annotations[::-1], "categories": categories})


def write_json(root, split, content):
    path = root / "decathlon-1.0" / "annotations" / f"signs_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def read_json(root, split):
    return json.loads((root / "decathlon-1.0" / "annotations" / f"signs_{split}.json").read_text())


@pytest.fixture
def signs(tmp_path):
    """Three classes in the official layout: 8 training and 4 validation images of each."""
    write_split(tmp_path, "train", 8, 1000)
    write_split(tmp_path, "val", 4, 2000)
    return tmp_path


def opened(root, **changes):
    return Decathlon(**({"dir": str(root), "set": "signs", "num_classes": 3} | STATS | changes))


def naively(root, split, *steps, set="signs"):
    """Images and labels as torchvision and a loop over the JSON give them."""
    path = root / "decathlon-1.0" / "annotations" / f"{set}_{split}.json"
    content = json.loads(path.read_text())
    order = sorted(category["id"] for category in content["categories"])
    of_image = {one["image_id"]: order.index(one["category_id"]) for one in content["annotations"]}
    show = transforms.Compose([transforms.Resize(steps[0]), transforms.CenterCrop(steps[-1]), transforms.PILToTensor()])
    images = [show(Image.open(root / "decathlon-1.0" / one["file_name"]).convert("RGB")) for one in content["images"]]
    return torch.stack(images), torch.tensor([of_image[one["id"]] for one in content["images"]])


@pytest.mark.parametrize("size", [64, 32, 40])
def test_what_is_seen_is_the_center_of_the_resized_image(signs, size):
    data = opened(signs, image_size=size)
    stored = round(size * 72 / 64)
    images, labels = naively(signs, "train", stored, size)
    assert torch.equal(data.images("train"), images)
    assert data.labels("train").tolist() == labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert torch.equal(data.splits["train"].images, naively(signs, "train", stored)[0])
    normal = torch.cat([batch.images for batch in data.batches("train", 7)])
    torch.testing.assert_close(normal, (images / 255 - 0.5) / 0.25)
    own = data.read_images([str(signs / "decathlon-1.0/data/signs/train/001000.png")])
    assert torch.equal(own[0], images[0]), "a person's own picture goes the same way"


def test_stored_size_can_be_typed(signs):
    assert opened(signs, image_size=72, stored_size=72).images("train").shape == (24, 3, 72, 72)
    small = opened(signs, image_size=64, stored_size=32)
    assert small.splits["train"].images.shape == (24, 3, 32, 32)
    assert small.images("train").shape == (24, 3, 64, 64), "enlarged"


def test_names_that_repeat_are_told_apart(signs):
    data = opened(signs)
    data.setup()
    assert data.class_names == ["stop 50000002", "stop 50000007", "yield"]


def windows(stored, size):
    """All windows of one image [C,H,W], as bytes."""
    room = stored.shape[-1] - size
    return {
        stored[:, y : y + size, x : x + size].numpy().tobytes(): (y, x)
        for y in range(room + 1)
        for x in range(room + 1)
    }


def test_training_sees_windows_of_the_stored_image_each_its_own(signs):
    data = opened(signs, augment=Augment())
    data.trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    data.trainer.training = True
    data.normalize = lambda images: images
    given = data.splits["train"][torch.arange(24)]
    stored, seen = given.images, data.on_after_batch_transfer(given, 0).images
    places = [windows(whole, 64)[part.numpy().tobytes()] for whole, part in zip(stored, seen, strict=True)]
    assert len(set(places)) > 12
    drawn = [Augment()(stored, 64) for _ in range(120)]
    ends = {windows(stored[0], 64)[batch[0].numpy().tobytes()][0] for batch in drawn}
    assert ends == set(range(9)), "all places are drawn"
    data.trainer.training, data.trainer.validating = False, True
    assert torch.equal(data.on_after_batch_transfer(given, 0).images, data.images("train"))


def test_padding_and_windows_together():
    images = torch.randint(1, 256, (50, 3, 9, 9), dtype=torch.uint8)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    seen = Augment(crop_padding=2)(images, 8)
    places = [windows(whole, 8)[part.contiguous().numpy().tobytes()] for whole, part in zip(padded, seen, strict=True)]
    assert {y for y, _ in places} == {x for _, x in places} == set(range(6))


def test_the_fingerprint_knows_what_is_seen(signs):
    prints = {opened(signs, image_size=size, stored_size=72).fingerprint for size in (64, 64, 56)}
    assert len(prints) == 2


def test_without_labels_for_the_test_validation_is_halved(signs, caplog):
    stripped = read_json(signs, "val") | {"annotations": []}
    write_json(signs, "test_stripped", stripped)
    with caplog.at_level(logging.INFO, "netgaze"):
        data = opened(signs)
        data.setup()
    assert "signs_test.json" in caplog.text
    assert "6 select, 6 report" in caplog.text
    whole, labels = naively(signs, "val", 72, 64)
    for split in ("val", "test"):
        assert torch.bincount(data.labels(split)).tolist() == [2, 2, 2]
    parts = torch.cat([data.images("val"), data.images("test")]).flatten(1).tolist()
    assert sorted(parts) == sorted(whole.flatten(1).tolist())
    of_image = {tuple(image): label for image, label in zip(whole.flatten(1).tolist(), labels.tolist(), strict=True)}
    assert [of_image[tuple(image)] for image in parts] == [*data.labels("val").tolist(), *data.labels("test").tolist()]
    other = opened(signs, split_seed=1)
    assert not torch.equal(other.images("test"), data.images("test"))


def test_labels_of_the_test_are_taken_where_they_are(signs, caplog):
    write_split(signs, "test", 5, 3000)
    with caplog.at_level(logging.INFO, "netgaze"):
        data = opened(signs)
        data.setup()
    assert "report" not in caplog.text
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 24, "val": 12, "test": 15}
    assert torch.equal(data.images("test"), naively(signs, "test", 72, 64)[0])


def strip(root, change=lambda content: None):
    """The test without its labels, as the challenge gives it, its images in no order of class."""
    content = read_json(root, "test") | {"annotations": []}
    content["images"] = content["images"][::2] + content["images"][1::2]
    change(content)
    write_json(root, "test_stripped", content)
    return content


@pytest.fixture
def stripped(signs):
    write_split(signs, "test", 5, 3000)
    strip(signs)
    return signs


@pytest.mark.parametrize("labeled", [True, False])
def test_the_official_test_is_whole_and_in_the_order_of_its_file(stripped, labeled):
    content = read_json(stripped, "test_stripped")
    of_id = {one["id"]: image for one, image in zip(read_json(stripped, "test")["images"], seen(stripped), strict=True)}
    if not labeled:
        (stripped / "decathlon-1.0" / "annotations" / "signs_test.json").unlink()
    test = opened(stripped, limit=6).official_test()
    assert test.image_ids == [one["id"] for one in content["images"]] != sorted(test.image_ids)
    assert test.category_ids == sorted(IDS)
    assert torch.equal(test.images, torch.stack([of_id[id] for id in test.image_ids]))


def seen(root):
    return naively(root, "test", 72, 64)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["images"].append(c["images"][0]), r"stripped\.json .*id 3000 is listed twice"),
        (lambda c: c.update(images=[]), r"stripped\.json .*lists no images"),
        (lambda c: c["images"][0].update(file_name="../x.png"), r"stripped\.json .*x\.png lies outside"),
        (lambda c: c["images"][0].update(file_name="data/x.png"), r"no .*x\.png, which signs_test_stripped"),
        (lambda c: c["categories"].pop(0), r"stripped\.json lists other categories than signs_train\.json"),
    ],
)
def test_a_wrong_official_test(stripped, change, words):
    strip(stripped, change)
    with pytest.raises(NetgazeError, match=words):
        opened(stripped).official_test()


def test_no_official_test(signs):
    with pytest.raises(NetgazeError, match=r"There is no .*signs_test_stripped\.json"):
        opened(signs).official_test()


def test_limit_does_not_cut_class_sorted_annotations(signs):
    data = opened(signs, limit=6)
    for split in ("train", "val", "test"):
        assert torch.bincount(data.labels(split)).tolist() == [2, 2, 2]


def edited(signs, change):
    content = read_json(signs, "train")
    change(content)
    write_json(signs, "train", content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("images"), "no list images"),
        (lambda c: c.update(annotations=7), "no list annotations"),
        (lambda c: c["images"][3].pop("file_name"), "a record of images has no right file_name"),
        (lambda c: c["annotations"][3].pop("category_id"), "a record of annotations has no right category_id"),
        (lambda c: c["categories"][0].update(id="one"), "a record of categories has no right id"),
        (lambda c: c["images"].pop(2), "id 1002 is annotated, but not listed"),
        (lambda c: c["annotations"].pop(0), r"data/signs/train/001023\.png has no annotation"),
        (lambda c: c["annotations"].append({"image_id": 1000, "category_id": 50000031}), "1000 is of two categories"),
        (lambda c: c["categories"].pop(0), "of category 50000031, which is not listed"),
        (lambda c: c["images"][0].update(file_name="../../secret.png"), r"secret\.png lies outside"),
        (lambda c: c["images"][0].update(file_name="/secret.png"), r"secret\.png lies outside"),
        (lambda c: c.update(images=[], annotations=[]), "lists no images"),
    ],
)
def test_wrong_annotations(signs, change, words):
    edited(signs, change)
    with pytest.raises(NetgazeError, match=rf"signs_train\.json.*{words}"):
        opened(signs).setup()


@pytest.mark.parametrize(("content", "words"), [("{", "not a JSON file"), ("[1]", "no list"), ("", "not a JSON file")])
def test_no_annotations_at_all(signs, content, words):
    write_json(signs, "val", content)
    with pytest.raises(NetgazeError, match=rf"signs_val\.json.*{words}"):
        opened(signs).setup()


def test_splits_of_other_categories(signs):
    content = read_json(signs, "val")
    content["categories"].append({"id": 50000099, "name": "new"})
    write_json(signs, "val", content)
    with pytest.raises(NetgazeError, match=r"signs_val\.json lists other categories than signs_train\.json"):
        opened(signs).setup()


def test_nothing_there(tmp_path):
    with pytest.raises(NetgazeError, match=r"signs_train\.json.*decathlon-1\.0-devkit\.tar\.gz.*-data\.tar\.gz"):
        opened(tmp_path).setup()


def test_a_missing_image(signs):
    (signs / "decathlon-1.0/data/signs/train/001005.png").unlink()
    with pytest.raises(NetgazeError, match=r"There is no .*001005\.png, which signs_train\.json lists"):
        opened(signs).setup()


@pytest.mark.parametrize("again", [False, True])
def test_images_that_do_not_decode(signs, again):
    for number in (5, 9):
        (signs / f"decathlon-1.0/data/signs/train/0010{number:02}.png").write_bytes(b"no image")
    if again:  # what could not be read is remembered with the cache
        with pytest.raises(NetgazeError):
            opened(signs).setup()
    with pytest.raises(NetgazeError, match=r"001005\.png, which signs_train\.json lists, .*nor can 1 more"):
        opened(signs).setup()


def test_too_few_validation_images_to_halve(signs):
    write_split(signs, "val", 1, 4000)
    with pytest.raises(NetgazeError, match=r"signs_val\.json, halved"):
        opened(signs).setup()


def test_the_number_of_classes_follows_the_annotations(signs):
    with pytest.raises(NetgazeError, match=r"Decathlon signs has 3 classes.*Type data\.num_classes=3\."):
        opened(signs, num_classes=43).setup()
    script = (
        "import sys; from netgaze.data.count import count_categories as count; "
        f"print(count({str(signs)!r}, 'signs', 43), count({str(signs)!r}, 'other', 43), 'numpy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["3", "43", "False"]


@pytest.mark.parametrize("name", SETS)
def test_the_facts_of_each_yaml(name, tmp_path):
    data = instantiate(composed(f"data=decathlon/{name}", f"data.dir='{tmp_path}'").data)
    check_overrides([f"data=decathlon/{name}", f"data.dir='{tmp_path}'", "data.stored_size=80"], Configs(CONF, "train"))
    assert data.num_classes == PUBLISHED[name][0]
    assert (data.set, data.image_size, data.stored_size) == (name, 64, 72)
    assert data.augment.flip == (name not in ("gtsrb", "omniglot", "svhn"))


def test_all_ten_are_there():
    assert sorted(PUBLISHED) == SETS


def annotations_of(name, root):
    folder = root / "decathlon-1.0" / "annotations"
    if not (folder / f"{name}_train.json").exists():
        pytest.skip(f"no decathlon/{name} at {root}: set NETGAZE_DATA")
    return folder


@pytest.mark.parametrize("name", SETS)
def test_the_real_files(real_decathlon, name):
    """As many classes and images as published; of a part of a set, no more."""
    folder = annotations_of(name, real_decathlon)
    num_classes, *numbers = PUBLISHED[name]
    for split, number in zip(("train", "val", "test"), numbers, strict=True):
        if (folder / f"{name}_{split}.json").exists():
            read = read_annotations(folder / f"{name}_{split}.json")
            assert len(read.files) <= number
            assert len(read.categories) <= num_classes
            if len(read.categories) == num_classes and len(read.files) == number:
                assert set(read.labels) == set(range(num_classes))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SETS if name != "imagenet12"])
def test_the_real_images(real_decathlon, name):
    folder = annotations_of(name, real_decathlon)
    data = instantiate(composed(f"data=decathlon/{name}", f"data.dir='{real_decathlon}'").data)
    own = "test" if (folder / f"{name}_test.json").exists() else "train"
    images, labels = naively(real_decathlon, own, 72, 64, set=name)
    assert torch.equal(data.images(own), images)
    assert torch.equal(data.labels(own), labels)


@pytest.mark.parametrize("name", SETS)
def test_the_published_mean_and_std(real_decathlon, name):
    path = real_decathlon / "decathlon-1.0" / "decathlon_mean_std.pickle"
    if not path.exists():
        pytest.skip(f"there is no {path}")
    published = pickle.loads(path.read_bytes(), encoding="latin1")
    facts = composed(f"data=decathlon/{name}").data
    assert list(facts["mean"]) == pytest.approx(list(published[f"{name}mean"]), abs=6e-5)
    assert list(facts["std"]) == pytest.approx(list(published[f"{name}std"]), abs=6e-5)
