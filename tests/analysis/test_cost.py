"""What an analysis costs, from numbers alone."""

import numpy as np
import pytest

from seedmap.analysis.cost import LIBRARIES, kind_of, peak_memory, run_seconds
from seedmap.images import Grid
from seedmap.images.gifti import mesh_of

SERIES = 4.0 * 100 * 5000
BESIDE = LIBRARIES + 40 * 8.0 * 100**2


@pytest.mark.parametrize(
    ("kind", "series", "at_work"),
    [
        ("volume", 1, 12 * 80_000),
        ("surfaces", 4, 1500 * 5000),
        ("grayordinates", 2, 1500 * 5000),
    ],
)
def test_memory_is_the_sum_of_its_parts(kind, series, at_work):
    found = peak_memory(kind, 100, 5000, volume=80_000.0, maps=2)
    assert found == BESIDE + series * SERIES + at_work + 4.0 * 5000 * 12


def test_each_copy_of_the_series_and_each_map_counts():
    small = peak_memory("volume", 100, 5000, volume=80_000.0, maps=2)
    assert peak_memory("volume", 100, 5000, volume=80_000.0, maps=2, copies=3) == small + 2 * SERIES
    assert peak_memory("volume", 100, 5000, volume=80_000.0, maps=7) == small + 4.0 * 5000 * 5


def test_time_is_that_of_reading_and_of_products():
    assert run_seconds(0.0, 0.0, 1) == pytest.approx(0.3)
    assert run_seconds(5e8, 6e10, 1) == pytest.approx(2.3)
    assert run_seconds(5e8, 6e10, 2) == pytest.approx(1.8)


def test_a_space_says_what_its_files_hold():
    assert kind_of(Grid.whole(np.eye(4), (3, 3, 3))) == "volume"
    mesh = mesh_of({"left": np.zeros((4, 10))}, {})
    assert kind_of(mesh) == "surfaces"
