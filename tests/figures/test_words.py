"""Every number that a figure finds has its words, so that no reader meets a raw key."""

import re

import pytest
from tests.figures.test_figures import NAMES, find_of_all, make_figure

from netgaze.glossary import explain


def find_wordless(figure, findings):
    """The numbers, compared numbers and columns of a figure that its glossary does not know."""
    named = [finding.numbers for finding in findings.values()] + [figure.compare(findings)]
    named += [row for finding in findings.values() for row in figure.table(finding)]
    return sorted({name for each in named for name in each if explain(name, figure.glossary) is None})


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_its_words(name):
    figure, findings = make_figure(name), find_of_all(name)
    assert findings
    assert find_wordless(figure, findings) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_share_is_one_and_its_count_is_there(name):
    """What is shown as percent lies in 0..1, or is a difference of such; what has an interval has its count."""
    figure = make_figure(name)
    for finding in find_of_all(name).values():
        for number, value in finding.numbers.items():
            meaning = explain(number, figure.glossary)
            if meaning.unit == "%" and isinstance(value, int | float):
                assert -1 <= value <= 1, number
            if meaning.count and name != "curves":  # whose counts are the run's
                assert finding.numbers[meaning.count] > 0, number


@pytest.mark.parametrize("name", NAMES)
def test_words_are_words(name):
    """No key in a key's place, no unit in the words, nothing half written."""
    for key, meaning in make_figure(name).glossary.items():
        assert meaning.words, key
        assert not re.search(r"[a-z]_[a-z]|%", meaning.words), key
        assert set(re.findall(r"<\w+>", meaning.words)) <= set(re.findall(r"<\w+>", key)), key
        assert not meaning.says or meaning.says.endswith((".", "?")), key
