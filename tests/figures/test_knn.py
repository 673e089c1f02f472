"""Nearest neighbors: each where it belongs, framed by its class."""

import numpy as np
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.figure import Finding
from netgaze.figures.knn import Knn

NAMES = np.array(["cat", "dog", "emu"])
LABELS = {"one": [[0, 1, 0], [2, 1, 2]], "two": [[1, 0, 2], [1, 1, 0]]}  # of the neighbors of a cat and of a dog
FRAMES = {
    "one": [["right", "wrong", "right"], ["wrong", "right", "wrong"]],
    "two": [["wrong", "right", "wrong"], ["right", "right", "wrong"]],
}


def make_findings():
    pictures = make_pictures(2, 2, 4)  # networks, queries, the query and its neighbors
    return pictures, {
        label: Finding(
            {"knn20": accuracy, "knn200": accuracy / 2, "shown_right": accuracy / 4, "num_images": 400},
            {
                "queries": pictures[0, :, 0],
                "neighbors": pictures[place, :, 1:],
                "query_labels": np.array([0, 1]),
                "neighbor_labels": np.array(LABELS[label]),
                "names": NAMES,
            },
        )
        for place, (label, accuracy) in enumerate({"one": 0.75, "two": 0.5}.items())
    }


def test_each_neighbor_in_its_row_and_frame():
    pictures, findings = make_findings()
    drawn = read(Knn().draw(findings))
    lines = drawn.grid()
    assert_shows(lines[0], pictures[0, 0])  # the first query beside the first network's row
    assert_shows(lines[1], pictures[1, 0, 1:])
    assert_shows(lines[2], pictures[0, 1])
    assert_shows(lines[3], pictures[1, 1, 1:])
    neighbors = [line[-3:] for line in lines]
    frames = [[drawn.frame_of(tile) for tile in line] for line in neighbors]
    assert frames == [FRAMES["one"][0], FRAMES["two"][0], FRAMES["one"][1], FRAMES["two"][1]]
    assert [drawn.frame_of(line[0]) for line in lines[::2]] == [None, None]


def test_each_row_says_its_network_and_how_many_are_right():
    drawn = read(Knn().draw(make_findings()[1]))
    words = [drawn.words_left_of(line[-3]) for line in drawn.grid()]
    beside = [[word.text for word in line if word.align == "right"] for line in words]
    assert beside == [["one", "2 of 3"], ["two", "1 of 3"], ["one", "1 of 3"], ["two", "2 of 3"]]
    queries = [line[0] for line in drawn.grid()[::2]]
    assert [[word.text for word in drawn.words_below(tile, 0.3)] for tile in queries] == [["cat"], ["dog"]]


def test_networks_that_were_asked_for_other_images_stand_beside_their_own():
    pictures, findings = make_findings()
    findings["two"].arrays |= {"queries": pictures[1, :, 0], "query_labels": np.array([2, 1])}
    drawn = read(Knn().draw(findings))
    assert [drawn.find(pictures[network, query, 0]).y for network, query in np.ndindex(2, 2)] == sorted(
        {line[0].y for line in drawn.grid()}
    )
    assert_shows(drawn.grid()[2], pictures[1, 0])
    assert [drawn.frame_of(tile) for tile in drawn.grid()[2][1:]] == ["wrong", "wrong", "right"]


def test_the_head_says_the_accuracies_by_network():
    drawn = read(Knn().draw(make_findings()[1]))
    assert drawn.say("one:").text == (
        "one:  20-neighbor accuracy 75.0 ± 4.5%, 200-neighbor accuracy 37.5 ± 4.8%;  19% of those shown have the "
        "query's class"
    )
    assert "20-neighbor accuracy 50.0 ± 4.9%" in drawn.say("two:").text
