"""What is near a seed is found when it is asked for, and is then what `neighbourhood` finds."""

import numpy as np
import pytest

from seedmap.images import Grid
from seedmap.spatial import Neighbourhoods, neighbourhood

GRID = Grid.whole(np.diag([3.0, 3, 3, 1]), (7, 7, 7))
SEEDS = [np.array([171]), np.empty(0, dtype=np.int64), np.array([0, 1])]


@pytest.fixture
def near():
    return Neighbourhoods(GRID, SEEDS, 4.0)


@pytest.mark.parametrize("seed", [0, 2, -1])
def test_it_is_what_neighbourhood_finds(near, seed):
    assert np.array_equal(near[seed], neighbourhood(GRID, SEEDS[seed], 4.0))


def test_it_is_found_once(near):
    assert near[2] is near[-1]


def test_near_a_time_course_is_nothing(near):
    assert near[1].shape == (0,)
    assert near[1].dtype == np.int64


def test_it_reads_like_a_tuple(near):
    assert len(near) == 3
    assert [one.size for one in near] == [near[0].size, 0, near[2].size]
    assert [one.size for one in near[1:]] == [0, near[2].size]
    with pytest.raises(IndexError):
        near[3]
