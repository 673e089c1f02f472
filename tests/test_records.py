"""The file of a record: written whole, read so that nothing in it runs, refused where it is none."""

from types import SimpleNamespace

import numpy as np
import pytest

from netgaze.checks import check_recorded
from netgaze.errors import NetgazeError
from netgaze.figures.dynamics import Dynamics
from netgaze.gallery import look
from netgaze.records import Record
from netgaze.subject import Subject


def make(num=5, **changes):
    values = np.linspace(0, 1, 3 * num).reshape(3, num).astype(np.float16)
    arrays = {"probability": values, "right": (values > 0.5).astype(np.float16), "margin": values - 0.5}
    arrays |= {"answers": np.zeros((3, num), dtype=np.int8), "class_names": np.array(["猫", "b\udce9"])}
    return Record(**arrays | changes)


def test_it_comes_back_as_it_was(tmp_path):
    record = make()
    record.save(tmp_path / "examples.npz")
    read = Record.load(tmp_path / "examples.npz")
    for name in Record.__annotations__:
        np.testing.assert_array_equal(getattr(read, name), getattr(record, name))
    assert (read.num_epochs, read.num_examples, read.names) == (3, 5, ["猫", "b\udce9"])
    assert read.digest == record.digest
    assert [path.name for path in tmp_path.iterdir()] == ["examples.npz"]


@pytest.mark.parametrize("name", ["probability", "right", "margin", "answers", "class_names"])
def test_its_digest_is_of_all_of_it(name):
    changed = getattr(make(), name).copy()
    changed.flat[-1] = "c" if name == "class_names" else 3 - changed.flat[-1]
    assert make(**{name: changed}).digest != make().digest


@pytest.mark.parametrize(
    "changes",
    [
        {"probability": np.zeros((3, 4), dtype=np.float16)},
        {"margin": np.full((3, 5), np.nan, dtype=np.float16)},
        {"answers": np.full((3, 5), 2, dtype=np.int8)},
        {"answers": np.full((3, 5), -2, dtype=np.int8)},
        {"answers": np.zeros((3, 5), dtype=np.uint8)},
        {"class_names": np.zeros(2)},
        {name: np.zeros(5, dtype="f2" if name != "answers" else "i1") for name in ("probability", "right", "margin")},
        {name: np.zeros((0, 5), dtype="f2") for name in ("probability", "right", "margin")},
    ],
    ids=str,
)
def test_another_file_of_arrays_is_refused(changes, tmp_path):
    make(**changes).save(tmp_path / "examples.npz")
    with pytest.raises(NetgazeError, match=r"examples.npz .*It may be damaged"):
        Record.load(tmp_path / "examples.npz")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04"])
def test_no_file_and_a_damaged_one_are_told_in_a_sentence(content, tmp_path):
    if content is not None:
        (tmp_path / "examples.npz").write_bytes(content)
    with pytest.raises(NetgazeError, match="not a record of training examples"):
        Record.load(tmp_path / "examples.npz")


def test_nothing_in_it_is_unpickled(tmp_path):
    np.savez(tmp_path / "examples.npz", probability=np.array([print], dtype=object))
    with pytest.raises(NetgazeError, match="not a record"):
        Record.load(tmp_path / "examples.npz")


class Data:
    fingerprint = "images"

    def __init__(self, num):
        self.num = num

    def labels(self, split):
        assert split == "train"
        return range(self.num)


def test_a_subject_has_it_of_the_data_that_it_was_trained_on():
    subject = Subject("run", data=lambda: Data(9), train_data=lambda: Data(5), examples=make)
    assert subject.lacks(("examples",)) == []
    assert subject.examples.num_examples == 5
    assert subject.identity(("examples",)) == subject.identity(("examples",))
    changed = Subject("run", data=lambda: Data(5), examples=lambda: make(margin=make().margin + 1))
    assert changed.identity(("examples",)) != subject.identity(("examples",))


def test_other_data_than_it_is_of_is_refused():
    subject = Subject("run", data=lambda: Data(6), examples=make)
    with pytest.raises(NetgazeError, match="has 5 training examples, but its data now has 6"):
        subject.examples  # noqa: B018


def test_a_run_without_it_is_told_how_there_will_be_one(tmp_path):
    found = look({"dynamics": Dynamics()}, [Subject("run", data=lambda: Data(5))], tmp_path)
    assert found.left_out == {"dynamics": "run has no examples (train with callback.examples.record=true)"}


def test_what_nobody_records_is_refused_before_the_training():
    figures = {"dynamics": SimpleNamespace(needs=("examples",)), "cam": SimpleNamespace(needs=("data",))}
    off, on, other = SimpleNamespace(record=False), SimpleNamespace(record=True), SimpleNamespace()
    with pytest.raises(NetgazeError, match=r"figure=\[dynamics\] .*callback.examples.record=true"):
        check_recorded(figures, [other, off])
    check_recorded(figures, [other, on])
    check_recorded({"cam": figures["cam"]}, [other, off])
