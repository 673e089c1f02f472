"""The official form, the ways in which files can be wrong, and the real images where they are."""

import os
import pickle
import pickletools
import shutil
import tarfile
import tracemalloc

import numpy as np
import pytest
import torch

from netgaze.data import cifar10
from netgaze.data.cifar10 import FOLDER, META, Cifar10, read_batch
from netgaze.errors import NetgazeError

STATS = {
    "num_classes": 10,
    "num_channels": 3,
    "image_size": 32,
    "mean": (0.4914, 0.4822, 0.4465),
    "std": (0.2470, 0.2435, 0.2616),
}
NOWHERE = "http://127.0.0.1:9/cifar-10-python.tar.gz"


def opened(root, **changes):
    return Cifar10(**({"dir": str(root), "verify": False, "url": NOWHERE} | STATS | changes))


def test_reads_the_official_form(cifar_files):
    data = opened(cifar_files)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 45_000, "val": 5000, "test": 10_000}
    assert data.class_names == [f"class {i}" for i in range(10)]
    with open(cifar_files / FOLDER / "test_batch", "rb") as file:
        raw = pickle.load(file)
    np.testing.assert_array_equal(data.images("test").flatten(1), raw["data"])
    assert data.labels("test").tolist() == raw["labels"]


def test_a_second_run_reads_nothing_and_a_file_that_changed_is_read(cifar_copy, replace_batch, monkeypatch):
    read = []
    monkeypatch.setattr(cifar10, "read_batch", lambda path: read.append(path.name) or read_batch(path))
    first = opened(cifar_copy).images("test")
    assert sorted(read) == [*cifar10.TRAIN, "test_batch"]
    assert torch.equal(opened(cifar_copy).images("test"), first)
    assert len(read) == 6
    other = 255 - first.reshape(10_000, 3072).numpy()
    replace_batch(cifar_copy / FOLDER / "test_batch", other, [0] * 10_000)
    assert torch.equal(opened(cifar_copy).images("test"), 255 - first)
    assert read[6:] == ["test_batch"]


@pytest.mark.slow
def test_other_sizes(cifar_files):
    whole = opened(cifar_files)
    large = opened(cifar_files, image_size=48)
    assert large.splits["test"].images.shape == (10_000, 3, 32, 32), "kept small"
    assert large.images("test", [7, 9]).shape == (2, 3, 48, 48)
    assert large.eval_fingerprint == whole.eval_fingerprint
    assert torch.equal(opened(cifar_files, image_size=24).images("test"), whole.images("test")[..., 4:28, 4:28])


def test_reads_files_written_by_numpy_1(tmp_path):
    """It kept the function that makes an array under another name."""
    data = np.arange(10_000 * 3072, dtype=np.uint64).astype(np.uint8).reshape(10_000, 3072)
    content = pickle.dumps({"data": data, "labels": [0] * 10_000}, protocol=2)
    old = content.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    assert b"cnumpy.core.multiarray" in old
    (tmp_path / "batch").write_bytes(old)
    images, _ = read_batch(tmp_path / "batch")
    np.testing.assert_array_equal(images.reshape(10_000, 3072), data)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", META])
def test_a_missing_file(cifar_copy, name):
    (cifar_copy / FOLDER / name).unlink()
    with pytest.raises(NetgazeError, match=f"{name} is missing"):
        opened(cifar_copy).setup()


def test_a_cut_file(cifar_copy):
    path = cifar_copy / FOLDER / "data_batch_2"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(NetgazeError, match="data_batch_2 is not a CIFAR-10 file: it cannot be read"):
        opened(cifar_copy).setup()


def test_altered_files_are_found_by_their_checksum(cifar_files):
    with pytest.raises(NetgazeError, match=r"data_batch_1 is not the official file.*data.verify=false"):
        opened(cifar_files, verify=True).setup()


@pytest.mark.slow
def test_files_with_the_official_checksums_pass(cifar_files, monkeypatch):
    sums = {path.name: cifar10.hash_md5(path) for path in (cifar_files / FOLDER).iterdir()}
    monkeypatch.setattr(cifar10, "MD5", sums)
    opened(cifar_files, verify=True).setup()


GOOD = np.zeros((10_000, 3072), np.uint8)


@pytest.mark.parametrize(
    ("data", "labels", "words"),
    [
        (GOOD[:500], [0] * 10_000, "uint8 array"),
        (GOOD[:, :1024], [0] * 10_000, "uint8 array"),
        (GOOD.astype(np.int16), [0] * 10_000, "uint8 array"),
        ("text", [0] * 10_000, "uint8 array"),
        (GOOD, [0] * 9_999, "list of 10000"),
        (GOOD, None, "list of 10000"),
        (GOOD, [10] * 10_000, "0 to 9"),
        (GOOD, [-1] * 10_000, "0 to 9"),
        (GOOD, ["cat"] * 10_000, "0 to 9"),
    ],
    ids=["few", "narrow", "int16", "no array", "few labels", "no labels", "label 10", "label -1", "names"],
)
def test_wrong_content(cifar_copy, replace_batch, data, labels, words):
    path = cifar_copy / FOLDER / "data_batch_1"
    replace_batch(path, data, labels)
    with pytest.raises(NetgazeError, match=f"data_batch_1.*{words}"):
        opened(cifar_copy).setup()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2])], ids=["empty", "text", "list"])
def test_no_batch_at_all(tmp_path, content):
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(NetgazeError, match="is not a CIFAR-10 file"):
        read_batch(tmp_path / "batch")


class Evil:
    """A pickle that runs a command when it is read."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, np.load, getattr], ids=lambda it: it.__name__)
def test_a_pickle_cannot_run_anything(tmp_path, function):
    trace = tmp_path / "trace"
    evil = Evil(function, f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w')")
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": evil, "labels": []}))
    assert any(code.name in ("REDUCE",) for code, *_ in pickletools.genops((tmp_path / "batch").read_bytes()))
    with pytest.raises(NetgazeError, match="which is not an array"):
        read_batch(tmp_path / "batch")
    assert not trace.exists()


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
PICKLES = {
    "a large array": b"cnumpy\nndarray\n(I100000000\ntR.",
    "a large array to be filled": ARRAY + b"(I100000000\ntS'b'\ntR.",
    "a late place in the memory": b"\x80\x02}r\x00\x00\x00\x02.",
    "objects": b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.",
    "wide items": b"cnumpy\ndtype\n(S'V99999999'\nI0\nI1\ntR.",
    "a long number": b"I" + b"9" * 10_000 + b"\n.",
    "more bytes than there are": b"\x80\x04\x8e" + (1 << 30).to_bytes(8, "little") + b"x.",
    "a new object": b"\x80\x02cnumpy\nndarray\nI100000000\n\x85\x81.",
    "an instance": b"(ios\nsystem\n.",
    "an attribute": b"\x80\x04\x8c\x07_codecs\x8c\x12encode.__globals__\x93.",
    "doubled and doubled": b"\x80\x02]" + b"2\x86" * 40 + b".",
}


@pytest.mark.parametrize("kind", PICKLES)
def test_a_pickle_takes_no_memory(tmp_path, kind):
    (tmp_path / "batch").write_bytes(PICKLES[kind])
    tracemalloc.start()
    try:
        with pytest.raises(NetgazeError, match="is not a CIFAR-10 file"):
            read_batch(tmp_path / "batch")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_file_of_gigabytes_is_not_read(tmp_path):
    (tmp_path / "batch").touch()
    os.truncate(tmp_path / "batch", 3 << 30)
    with pytest.raises(NetgazeError, match="has 3221 MB"):
        read_batch(tmp_path / "batch")


def test_nothing_there_and_no_network(tmp_path):
    with pytest.raises(NetgazeError, match=r"Could not download.*data.url=.*data=shapes"):
        opened(tmp_path).setup()


def test_nothing_there_and_no_download(tmp_path):
    with pytest.raises(NetgazeError, match="There is no CIFAR-10 at"):
        opened(tmp_path, download=False).setup()


@pytest.fixture
def archive(cifar_files, tmp_path, monkeypatch):
    """An archive that counts as the official one (its compression is left out: it takes seconds)."""
    path = tmp_path / "mirror" / cifar10.ARCHIVE
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        tar.add(cifar_files / FOLDER, FOLDER)
    monkeypatch.setattr(cifar10, "ARCHIVE_MD5", cifar10.hash_md5(path))
    monkeypatch.setattr(cifar10, "MD5", {p.name: cifar10.hash_md5(p) for p in (cifar_files / FOLDER).iterdir()})
    yield path
    shutil.rmtree(tmp_path)  # hundreds of MB, which pytest would keep


@pytest.mark.slow
def test_downloaded_verified_and_unpacked_once(archive, tmp_path):
    root = tmp_path / "data"
    first = opened(root, url=archive.as_uri(), verify=True)
    first.prepare_data()
    archive.unlink()
    (root / cifar10.ARCHIVE).unlink()
    assert opened(root, verify=True).fingerprint == first.fingerprint


@pytest.mark.slow
def test_an_archive_put_there_by_hand(archive):
    assert len(opened(archive.parent, verify=True, download=False).images("test")) == 10_000


@pytest.mark.slow
def test_a_cut_archive(archive):
    os.truncate(archive, 50_000_000)
    with pytest.raises(NetgazeError, match=r"not the official archive.*data.verify=false"):
        opened(archive.parent, verify=True).setup()
    with pytest.raises(NetgazeError, match="broken or incomplete"):
        opened(archive.parent).setup()
    assert [path.name for path in archive.parent.iterdir()] == [cifar10.ARCHIVE]


@pytest.mark.slow
def test_the_real_images(real_cifar):
    data = opened(real_cifar)
    splits = data.load()
    assert torch.bincount(splits["train"].labels).tolist() == [5000] * 10
    assert torch.bincount(splits["test"].labels).tolist() == [1000] * 10
    assert data.class_names[:5] == ["airplane", "automobile", "bird", "cat", "deer"]
    assert data.class_names[5:] == ["dog", "frog", "horse", "ship", "truck"]
    pixels = splits["train"].images.transpose(0, 1).flatten(1).float() / 255
    assert pixels.mean(1).tolist() == pytest.approx(STATS["mean"], abs=5e-4)
    assert pixels.std(1).tolist() == pytest.approx(STATS["std"], abs=5e-4)


def test_the_real_images_validation_split(real_cifar):
    data = opened(real_cifar)
    assert torch.bincount(data.labels("val")).tolist() == [500] * 10
    assert torch.bincount(data.labels("train")).tolist() == [4500] * 10
    seen = {image.tobytes() for image in data.images("train").numpy()}
    repeated = sum(image.tobytes() in seen for image in data.images("val").numpy())
    assert repeated <= 10, "CIFAR-10 repeats a handful of its own images; more would be an overlap of the splits"
