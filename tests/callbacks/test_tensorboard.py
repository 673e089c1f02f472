"""What TensorBoard is told, read back with its own readers: curves, pictures by epoch, the columns of HPARAMS."""

import numpy as np
import pytest
from matplotlib.figure import Figure as Picture
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context

from netgaze.callbacks.history import History
from netgaze.callbacks.tensorboard import TensorBoard, write_hyperparameters, write_results
from netgaze.pictures import render


def read(folder):
    return EventAccumulator(str(folder)).Reload()


def read_scalars(folder):
    reader = read(folder)
    return {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def read_pictures(folder, name):
    """The steps of a picture's events, and the sizes that they have."""
    return [(event.step, event.width, event.height) for event in read(folder).Images(name)]


def open_hparams(folder):
    """What the HPARAMS tab shows below a folder: (columns of settings, which of them differ, columns of numbers)."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))
    request = RequestContext()
    tags = context.hparams_metadata(request, "")
    experiment = context.experiment_from_metadata(request, "", True, tags, [])
    names = [info.name for info in experiment.hparam_infos]
    differing = [info.name for info in experiment.hparam_infos if info.differs]
    return names, differing, [f"{info.name.group}.{info.name.tag}" for info in experiment.metric_infos]


def train(trainer, task, callback, epochs, rate=0.5):
    """Epochs with numbers that tell which they are of, and a picture in every second one."""
    callback.on_train_start(trainer, task)
    for _ in range(epochs):
        epoch = trainer.current_epoch + 1
        trainer.optimizers[0].param_groups[0]["lr"] = rate / epoch
        history = trainer.callbacks[0]
        history.on_train_epoch_start(trainer, task)
        task.numbers = {"train/acc": epoch / 8, "val/acc": epoch / 16, "val/knn20": epoch / 32}
        task.pictures = {"knn": np.zeros((4, epoch, 3), dtype=np.uint8)} if epoch % 2 else {}
        for each in trainer.callbacks:
            each.on_train_epoch_end(trainer, task)
        trainer.current_epoch += 1
    callback.teardown(trainer, task, "fit")


def test_curves_share_a_tag_and_lie_in_the_folder_of_their_split(make_trainer, task, tmp_path):
    board = TensorBoard()
    train(make_trainer(History(), board), task, board, epochs=2)
    assert read_scalars(tmp_path / "tensorboard" / "train") == {
        "acc": [(1, 0.125), (2, 0.25)],
        "lr": [(1, 0.5), (2, 0.25)],
    }
    assert read_scalars(tmp_path / "tensorboard" / "val") == {
        "acc": [(1, 0.0625), (2, 0.125)],
        "knn20": [(1, 0.03125), (2, 0.0625)],
    }


def test_a_picture_lies_at_the_epoch_that_it_was_drawn_of(make_trainer, task, tmp_path):
    board = TensorBoard()
    train(make_trainer(History(), board), task, board, epochs=3)
    assert read_pictures(tmp_path / "tensorboard" / "val", "knn") == [(1, 1, 4), (3, 3, 4)]


def test_of_a_resumed_run_later_epochs_are_hidden(make_trainer, task, tmp_path):
    """It was killed after its third epoch, whose checkpoint was not written any more."""
    board = TensorBoard()
    trainer = make_trainer(History(), board)
    train(trainer, task, board, epochs=3)
    trainer.current_epoch = 2
    train(trainer, task, board, epochs=1, rate=1.5)
    assert read_scalars(tmp_path / "tensorboard" / "train")["lr"] == [(1, 0.5), (2, 0.25), (3, 0.5)]


def test_one_process_writes(make_trainer, task, tmp_path):
    board = TensorBoard()
    trainer = make_trainer(History(), board)
    trainer.is_global_zero = False
    train(trainer, task, board, epochs=1)
    assert not (tmp_path / "tensorboard").exists()


def test_results_lie_at_the_best_epoch_those_of_the_test_in_its_folder(tmp_path):
    (tmp_path / "figures").mkdir()
    picture = Picture(figsize=(1, 0.5))
    picture.savefig(tmp_path / "figures" / "cam.png", dpi=20)
    write_results(tmp_path, {}, {"val/acc": 0.25, "test/acc": 0.5, "best/epoch": 7}, 7)
    place = tmp_path / "tensorboard"
    assert read_scalars(place / "test") == {"acc": [(7, 0.5)]}
    assert read_scalars(place) == {"val/acc": [(7, 0.25)], "best/epoch": [(7, 7.0)]}
    assert read_pictures(place, "cam") == [(7, 20, 10)]


def test_results_take_the_place_of_earlier_ones(tmp_path):
    for accuracy in (0.25, 0.5):
        write_results(tmp_path, {"seed": "0"}, {"val/acc": accuracy, "test/acc": accuracy / 2}, 1)
    place = tmp_path / "tensorboard"
    assert read_scalars(place) == {"val/acc": [(1, 0.5)]}
    assert read_scalars(place / "test") == {"acc": [(1, 0.25)]}
    assert sorted(path.suffix for path in place.glob("events*")) == [".hparams", ".results"]
    assert len(list((place / "test").iterdir())) == 1


def write_runs(folder, *settings):
    for number, own in enumerate(settings):
        write_results(folder / str(number), own, {"test/acc": number / 4, "val/acc": 0.5, "best/epoch": 1}, 1)


def test_hparams_begin_with_what_differs_between_runs(tmp_path):
    """Whichever folder TensorBoard is started with: what one run lists as its columns would be those of all."""
    same = {"data": "digits", "aaa": "1", "zzz": "x"}
    write_runs(tmp_path / "first", same | {"optim.lr": "0.1"}, same | {"optim.lr": "0.01"})
    write_runs(tmp_path / "second", same | {"model.depth": "8"}, same | {"model.depth": "20"})
    names, differing, numbers = open_hparams(tmp_path)
    assert names == ["model.depth", "optim.lr", "aaa", "data", "zzz"]
    assert differing == ["model.depth", "optim.lr"]
    assert open_hparams(tmp_path / "first")[0] == ["optim.lr", "aaa", "data", "zzz"]
    assert numbers[0] == "test.acc", "TensorBoard shows the first five of its own accord"


def test_hparams_of_a_run_are_replaced_and_its_pictures_stay(tmp_path):
    write_runs(tmp_path, {"data": "digits", "optim.lr": "0.1"}, {"data": "digits", "optim.lr": "0.01"})
    for number, rate in enumerate(("0.1", "0.01")):
        write_hyperparameters(tmp_path / str(number), {"optim.lr": rate})
    assert open_hparams(tmp_path)[:2] == (["optim.lr"], ["optim.lr"])
    assert read_scalars(tmp_path / "0" / "tensorboard")["best/epoch"] == [(1, 1.0)]


@pytest.mark.parametrize(("value", "is_number"), [("0.1", True), ("1e-3", True), ("nan", False), ("sgd", False)])
def test_hparams_that_are_numbers_are_sorted_as_such(value, is_number, tmp_path):
    write_hyperparameters(tmp_path, {"key": value})
    content = read(tmp_path / "tensorboard").SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert (value.encode() in content) is not is_number


def test_a_picture_becomes_the_pixels_of_its_file(tmp_path):
    """Red on the left, blue on the right."""
    picture = Picture(figsize=(1, 0.5))
    axes = picture.add_axes((0, 0, 1, 1))
    axes.imshow([[[1.0, 0, 0], [0, 0, 1.0]]], aspect="auto")
    axes.axis("off")
    pixels = render(picture)
    assert (pixels.shape, pixels.dtype) == ((60, 120, 3), np.uint8)
    assert pixels[30, 10].tolist() == [255, 0, 0]
    assert pixels[30, 110].tolist() == [0, 0, 255]
