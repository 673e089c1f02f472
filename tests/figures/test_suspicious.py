"""The sheet of suspicious labels: its order, what stands under each image, and the table beside it."""

import numpy as np
import pytest
from tests.figures.conftest import make_record
from tests.figures.reader import assert_shows, read
from tests.figures.test_figures import assert_readable

from netgaze.drawing.examples import to_rgb
from netgaze.errors import NetgazeError
from netgaze.figures.suspicious import Suspicious
from netgaze.measures.dynamics import average_epochs
from netgaze.subject import Subject

NUM = 60


def a_subject(data, record):
    return Subject("run", data=lambda: data, examples=lambda: record)


@pytest.fixture(params=[0.0, 0.4], ids=["clean", "noisy"])
def own(request, make_data):
    data = make_data(label_noise=request.param)
    data.class_names = ["cat", "dog", "emu"]
    return data


@pytest.fixture
def record(own):
    record = make_record(own.class_names, NUM, num_epochs=5)
    record.margin[:, ::7] = np.nan
    return record


@pytest.fixture
def order(record):
    margins = average_epochs(record.margin)
    return [int(row) for row in np.argsort(margins)[: NUM - 9]]


def test_the_lowest_margins_come_first_and_what_was_never_seen_not_at_all(own, record, order):
    finding = Suspicious(num=13).compute(a_subject(own, record))
    assert finding.arrays["rows"].tolist() == order[:13]
    assert finding.numbers["num_examples"] == NUM - 9
    every = Suspicious(num=1000).compute(a_subject(own, record))
    assert every.arrays["rows"].tolist() == order
    drawn = read(Suspicious().draw({"run": finding}))
    images = to_rgb(own.images("train", order[:13]))
    for line, expected in zip(drawn.grid(), (images[:10], images[10:]), strict=True):
        assert_shows(line, expected)


def test_each_row_says_the_label_and_the_other_prediction(own, record, order):
    finding = Suspicious(num=13).compute(a_subject(own, record))
    rows, names = Suspicious().table(finding), own.class_names
    given, true = own.labels("train").tolist(), own.true_labels("train").tolist()
    drawn = read(Suspicious().draw({"run": finding}))
    tiles = [tile for line in drawn.grid() for tile in line]
    assert len(rows) == len(tiles) == 13
    for place, (row, tile) in enumerate(zip(rows, tiles, strict=True)):
        index = order[place]
        assert (row["rank"], row["index"], row["label"]) == (place + 1, index, names[given[index]])
        others = [answer for answer in record.answers[:, index].tolist() if answer != given[index]]
        most = max(sorted(set(others)), key=others.count, default=-1)
        says = names[most] if others else ""
        assert (row["says"], row["epochs_saying"]) == (says, others.count(most))
        assert row["margin"] == average_epochs(record.margin)[index]
        assert row["confidence"] == average_epochs(record.probability)[index]
        said = [words.text for words in drawn.words_below(tile, 0.9)]
        assert said[:2] == [f"{place + 1}: {names[given[index]]}", f"predicted {says}" if says else "undisputed"]
        is_known = given != true
        assert ("true" in row) == is_known
        if is_known:
            assert row["true"] == names[true[index]]
            assert drawn.frame_of(tile) == ("right" if given[index] == true[index] else "wrong")
            assert (said[2:3] == [f"is {names[true[index]]}"]) == (given[index] != true[index])
        else:
            assert drawn.frame_of(tile) is None
    assert ("wrong" in finding.numbers) == (given != true)
    if given != true:
        assert finding.numbers["wrong"] == np.mean([given[index] != true[index] for index in order[:13]])


def test_files_are_named_where_the_data_has_some(own, record, order, monkeypatch):
    assert "file" not in Suspicious().table(Suspicious(num=5).compute(a_subject(own, record)))[0]
    monkeypatch.setattr(own, "name_images", lambda split, index: [f"{split}/{each}.png" for each in index])
    rows = Suspicious().table(Suspicious(num=5).compute(a_subject(own, record)))
    assert [row["file"] for row in rows] == [f"train/{index}.png" for index in order[:5]]


def test_a_label_that_no_epoch_contradicted_is_undisputed(data):
    record = make_record(data.class_names, NUM)
    record.answers[:] = data.labels("train").numpy()
    figure = Suspicious(num=2)
    finding = figure.compute(a_subject(data, record))
    assert figure.table(finding)[0]["says"] == ""
    assert read(figure.draw({"run": finding})).text.count("undisputed") == 2


def test_the_sheet_has_fifty(data):
    record = make_record(data.class_names, NUM)
    picture = Suspicious().draw({"run": Suspicious().compute(a_subject(data, record))})
    assert_readable(picture)
    assert len(read(picture).tiles) == 50


def test_a_network_of_other_classes_has_no_labels_to_suspect(data):
    with pytest.raises(NetgazeError, match="not trained on the labels of its data"):
        Suspicious().compute(a_subject(data, make_record(["0°", "90°"], NUM)))


def test_less_than_one_is_refused():
    with pytest.raises(NetgazeError, match=r"figure.suspicious.num=0"):
        Suspicious(num=0)
