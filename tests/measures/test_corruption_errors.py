"""The mean corruption error: closed forms and what changes nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from netgaze.measures.corruption_errors import mean_corruption_error

ERRORS = arrays(float, (4, 3), elements=st.floats(0.01, 1))


def test_by_hand():
    errors, reference = np.array([[0.1, 0.3], [0.2, 0.4]]), np.array([[0.4, 0.4], [0.1, 0.2]])
    assert mean_corruption_error(errors) == pytest.approx(0.25)
    # (0.1 + 0.3) / (0.4 + 0.4) = 0.5 and (0.2 + 0.4) / (0.1 + 0.2) = 2: sums first, then the ratio.
    assert mean_corruption_error(errors, reference) == pytest.approx(1.25)


@given(ERRORS)
def test_a_network_against_itself_has_one(errors):
    assert mean_corruption_error(errors, errors) == pytest.approx(1)
    assert mean_corruption_error(errors / 2, errors) == pytest.approx(0.5)


@given(ERRORS, ERRORS)
def test_the_order_of_kinds_and_of_severities_says_nothing(errors, reference):
    found = mean_corruption_error(errors, reference)
    assert mean_corruption_error(errors[::-1, ::-1], reference[::-1]) == pytest.approx(found)


def test_a_reference_without_errors_gives_no_number():
    assert math.isnan(mean_corruption_error(np.ones((2, 2)), np.array([[0, 0], [1, 1.0]])))
    assert mean_corruption_error(np.ones((1, 2)), np.array([[0, 1.0]])) == 2


@pytest.mark.parametrize("shapes", [((3,), None), ((0, 3), None), ((3, 0), None), ((2, 3), (3, 2))])
def test_other_shapes_are_refused(shapes):
    errors, reference = (None if shape is None else np.ones(shape) for shape in shapes)
    with pytest.raises(ValueError, match="expected errors"):
        mean_corruption_error(errors, reference)
