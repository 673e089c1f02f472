"""The official files of CIFAR-10-C: read as they are, refused when they are something else."""

import pickle

import numpy as np
import pytest
import torch

from netgaze.corruptions.kinds import KINDS
from netgaze.corruptions.official import OfficialFiles, stamp_files
from netgaze.errors import NetgazeError

SHAPE, NUM = (3, 6, 6), 4


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("something in the file was run",))


def write_files(folder, num=NUM, shape=SHAPE):
    """Each image of a color that says which it is: kind, severity, place."""
    channels, height, width = shape
    for number, kind in enumerate(KINDS):
        colors = np.arange(5 * num)[:, None, None, None] + 10 * number + np.arange(channels)
        images = np.broadcast_to(colors.astype(np.uint8), (5 * num, height, width, channels))
        np.save(folder / f"{kind}.npy", images)
    np.save(folder / "labels.npy", np.tile(np.arange(num), 5).astype(np.uint8))


def test_images_are_those_of_kind_severity_and_place(tmp_path):
    write_files(tmp_path)
    files = OfficialFiles(str(tmp_path), NUM, SHAPE)
    files.check_labels(torch.arange(NUM))
    for number, kind in enumerate(KINDS):
        for severity in (1, 4, 5):
            found = files.read(kind, severity, torch.tensor([2, 0]))
            assert (found.shape, found.dtype) == ((2, *SHAPE), torch.uint8)
            first = 10 * number + NUM * (severity - 1)
            assert found[:, :, 0, 0].tolist() == [[first + 2 + c for c in range(3)], [first + c for c in range(3)]]


def forget(folder):
    (folder / "fog.npy").unlink()


def take_other_sizes(folder):
    np.save(folder / "fog.npy", np.zeros((5 * NUM, 7, 7, 3), np.uint8))


def take_floats(folder):
    np.save(folder / "fog.npy", np.zeros((5 * NUM, 6, 6, 3), np.float32))


def take_one_severity(folder):
    np.save(folder / "fog.npy", np.zeros((NUM, 6, 6, 3), np.uint8))


def take_objects(folder):
    np.save(folder / "fog.npy", np.array([Bomb()], dtype=object), allow_pickle=True)


def take_pickle(folder):
    (folder / "fog.npy").write_bytes(pickle.dumps(Bomb()))


def take_text(folder):
    (folder / "fog.npy").write_text("<html>")


def take_half(folder):
    whole = (folder / "fog.npy").read_bytes()
    (folder / "fog.npy").write_bytes(whole[: len(whole) // 2])


def take_several(folder):
    with open(folder / "fog.npy", "wb") as file:
        np.savez(file, one=np.zeros(3), other=np.zeros(3))


def take_float_labels(folder):
    np.save(folder / "labels.npy", np.zeros(5 * NUM))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (forget, "fog.npy is missing"),
        (take_other_sizes, r"fog.npy holds uint8 \[20, 7, 7, 3\].*must hold uint8 \[20, 6, 6, 3\]"),
        (take_floats, r"fog.npy holds float32"),
        (take_one_severity, r"holds uint8 \[4, 6, 6, 3\]"),
        (take_objects, "fog.npy cannot be read as an array"),
        (take_pickle, "fog.npy cannot be read as an array"),
        (take_text, "fog.npy cannot be read as an array"),
        (take_half, "fog.npy cannot be read as an array"),
        (take_several, "fog.npy holds several arrays"),
        (take_float_labels, "labels.npy holds float64.*must hold integers"),
    ],
)
def test_other_files_are_refused_in_a_sentence(change, said, tmp_path):
    write_files(tmp_path)
    change(tmp_path)
    with pytest.raises(NetgazeError, match=said) as refused:
        OfficialFiles(str(tmp_path), NUM, SHAPE)
    assert "dir=null" in str(refused.value)


def test_other_labels_are_refused(tmp_path):
    write_files(tmp_path)
    files = OfficialFiles(str(tmp_path), NUM, SHAPE)
    with pytest.raises(NetgazeError, match="has other labels, at severity 1"):
        files.check_labels(torch.tensor([0, 1, 3, 2]))
    labels = np.tile(np.arange(NUM), 5)
    labels[-1] = 0
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(NetgazeError, match="at severity 5"):
        OfficialFiles(str(tmp_path), NUM, SHAPE).check_labels(torch.arange(NUM))


def test_a_changed_file_has_another_stamp(tmp_path):
    assert stamp_files(str(tmp_path / "nowhere")) == []
    write_files(tmp_path)
    before = stamp_files(str(tmp_path))
    assert len(before) == 16
    take_one_severity(tmp_path)
    assert stamp_files(str(tmp_path)) != before
