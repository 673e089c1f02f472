"""Images from a notebook as a data set: what comes out is what was put in, and what cannot be is named."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torchvision.transforms import v2

from netgaze.data.given import GivenData, read_given
from netgaze.errors import NetgazeError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def draw_pixels(num=12, channels=3, size=8):
    """All values of a byte, black and white among them."""
    pixels = torch.randint(256, (num, channels, size, size), generator=torch.Generator().manual_seed(0)).byte()
    pixels[0, :, 0, 0], pixels[0, :, 0, 1] = 0, 255
    return pixels


PIXELS, LABELS = draw_pixels(), torch.arange(12) % 3


class Photos(Dataset):
    """As torchvision's data sets are: a Pillow image behind a transform, and a number."""

    classes = ("cat", "dog", "fox")

    def __init__(self, transform=None, pixels=PIXELS):
        self.images = [Image.fromarray(each.permute(1, 2, 0).squeeze(2).numpy()) for each in pixels]
        self.transform = transform or (lambda image: image)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, place):
        return self.transform(self.images[place]), int(LABELS[place])


TO_FLOATS = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
NORMALIZED = v2.Compose([TO_FLOATS, v2.Normalize(MEAN, STD)])


def read(data, normalization=None):
    splits, names = read_given(data, normalization)
    return splits["test"].images, splits["test"].labels, names


@pytest.mark.parametrize(
    ("data", "normalization"),
    [
        (Photos(), None),
        (Photos(v2.ToImage()), None),
        (Photos(TO_FLOATS), None),
        (Photos(TO_FLOATS), (MEAN, STD)),
        (Photos(NORMALIZED), (MEAN, STD)),
        (Photos(lambda image: np.array(image)), None),
        (Photos(lambda image: np.array(image) / 255), None),
        (TensorDataset(PIXELS, LABELS), None),
        ((PIXELS, LABELS), None),
        ((PIXELS.permute(0, 2, 3, 1).numpy(), LABELS.numpy()), None),
        ((PIXELS.double() / 255, LABELS.tolist()), None),
        ((v2.functional.normalize(PIXELS / 255, MEAN, STD), LABELS.numpy()), (MEAN, STD)),
        ((PIXELS / 127.5 - 1, LABELS), ((0.5,), (0.5,))),
    ],
    ids=[
        "Pillow",
        "uint8 tensors",
        "floats",
        "floats with facts",
        "normalized",
        "arrays",
        "floats in arrays",
        "a TensorDataset",
        "a pair of tensors",
        "channels last",
        "doubles and a list",
        "a normalized pair",
        "a pair around zero",
    ],
)
def test_pixels_come_back_to_the_bit(data, normalization):
    images, labels, _ = read(data, normalization)
    assert images.dtype == torch.uint8
    assert torch.equal(images, PIXELS)
    assert torch.equal(labels, LABELS)


@pytest.mark.parametrize("transform", [None, TO_FLOATS, lambda image: np.array(image)])
def test_gray_images_have_one_channel(transform):
    gray = draw_pixels(channels=1)
    assert torch.equal(read(Photos(transform, gray))[0], gray)


def test_a_dataset_names_its_classes_also_in_part():
    assert read(Photos())[2] == ["cat", "dog", "fox"]
    assert read(Subset(Subset(Photos(), range(6)), range(3)))[2] == ["cat", "dog", "fox"]
    assert read((PIXELS, LABELS))[2] is None


def test_splits_and_those_that_were_not_given():
    splits, _ = read_given({"train": Photos(), "test": (PIXELS[:5], LABELS[:5])}, None)
    data = GivenData(splits=splits, class_names=["a", "b", "c", "d"])
    data.setup()
    assert {split: len(data.labels(split)) for split in ("train", "val", "test")} == {"train": 12, "val": 0, "test": 5}
    assert torch.equal(data.images("test"), PIXELS[:5])
    assert data.found.list_warnings() == []
    torch.testing.assert_close(data.normalize(PIXELS), PIXELS / 255)


def test_another_normalization_is_of_the_same_images():
    splits, _ = read_given((PIXELS, LABELS), None)
    data = GivenData(splits=splits, class_names=["a", "b", "c"])
    assert data.fingerprint == data.with_normalization([0.0], [1.0]).fingerprint
    other = data.with_normalization(MEAN, STD)
    expected = v2.functional.normalize(PIXELS / 255, MEAN, STD)
    torch.testing.assert_close(other.normalize(other.images("test")), expected)
    assert data.fingerprint != other.fingerprint
    assert data.images_fingerprint == other.images_fingerprint
    assert data.mean == (0.0, 0.0, 0.0)


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


def with_first(image):
    """Photos of which the first image is another."""
    images = [image, *PIXELS[1:]]
    return [(each, int(label)) for each, label in zip(images, LABELS, strict=True)]


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, place):
        return self.items[place]


@pytest.mark.parametrize(
    ("data", "normalization", "said"),
    [
        ("cifar10", None, "that is a str. Give a Dataset of"),
        (PIXELS, None, "that is a Tensor. Give a Dataset of"),
        (Endless(), None, "that is a Endless"),
        (DataLoader(Photos()), None, r"loader\.dataset"),
        (Items([]), None, "there are no images"),
        (Items([PIXELS[0]]), None, r"an item of the Dataset is a Tensor, not a pair \(image, label\)"),
        (Items([("a.jpg", 0)]), None, "an image is a str"),
        (Items([(PIXELS[0], "cat")]), None, "a label is cat. Give the index of its class"),
        (Items([(PIXELS[0], torch.ones(3))]), None, "a label is tensor"),
        (Items([(PIXELS[0], 0.5)]), None, "a label is 0.5"),
        (Items([(PIXELS[0, 0, 0], 0)]), None, r"an image has the shape \[8\]"),
        (Items([(torch.zeros(4, 8, 8), 0)]), None, r"an image has the shape \[4, 8, 8\]"),
        (Items([(PIXELS[0].long(), 0)]), None, "an image holds torch.int64. Give uint8"),
        (Items([(Image.new("I", (8, 8)), 0)]), None, "mode I has more than 8 bits"),
        (Items([(torch.zeros(3, 8, 9), 0)]), None, "8 pixels high and 9 wide"),
        (Items(with_first(torch.zeros(3, 9, 9).byte())), None, "image 1 is uint8 of 3x8x8.*uint8 of 3x9x9"),
        (Items(with_first(torch.zeros(3, 8, 8))), None, "image 1 is uint8 of 3x8x8.*decimal numbers of 3x8x8"),
        ((PIXELS, LABELS[:5]), None, "12 images have 5 labels"),
        ((PIXELS.float(), LABELS), None, r"values lie in 0\.\.255, pixels in 0\.\.1"),
        (Photos(NORMALIZED), None, r"wrap\(network, mean=\[\.\.\.\], std=\[\.\.\.\]\)"),
        (
            Photos(NORMALIZED),
            ((0.5,), (0.5,)),
            r"mean=\[0\.5\] and std=\[0\.5\] they would have been in -0\.\d+\.\.1\.\d+",
        ),
        (Photos(NORMALIZED), ((0.5, 0.5), (0.5, 0.5)), "the images have 3, got 2"),
        ((PIXELS / 0.0 - 1, LABELS), (MEAN, STD), "values lie in nan..nan"),
        ({"train": Photos()}, None, r"the splits \['train'\]. Give \"test\""),
        ({"test": Photos(), "valid": Photos()}, None, "the splits"),
        ({"test": Photos(), "train": (draw_pixels(size=9), LABELS)}, None, "different shapes"),
    ],
)
def test_what_cannot_be_is_named(data, normalization, said):
    with pytest.raises(NetgazeError, match=said) as error:
        read_given(data, normalization)
    assert str(error.value).count(". ") <= 2


@pytest.mark.parametrize("labels", [LABELS + 1, LABELS - 1])
def test_a_label_is_the_place_of_a_class(labels):
    splits, _ = read_given((PIXELS, labels), None)
    with pytest.raises(NetgazeError, match=r"the labels of test are .* and there are 3 classes"):
        GivenData(splits=splits, class_names=["a", "b", "c"])
