"""Series that memory would not hold lie in a file, and nothing else changes."""

import shutil
import tempfile

import numpy as np
import pytest

from seedmap.errors import OptionError, OutputError
from seedmap.images import PageKeeper, open_run
from seedmap.spatial import Reading, Storage, extract, parse_memory
from seedmap.spatial.memory import OVERHEAD, allocate

GIGA = 1024**3


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (None, None), (5e8, 5e8), (1000, 1000), ("1000", 1000), ("2GB", 2 * GIGA), ("2 gb", 2 * GIGA),
        (" 1.5G ", 1.5 * GIGA), ("800 MiB", 800 * 1024**2), ("3k", 3072), ("1T", 1024 * GIGA),
        ("7B", 7), (np.int64(9), 9),
    ],
)  # fmt: skip
def test_memory_is_understood(text, limit):
    assert parse_memory(text) == limit


@pytest.mark.parametrize(
    "text", ["", "much", "0", 0, -1, "-2GB", "1.2.3GB", "2 XB", float("nan"), "GB"]
)
def test_memory_that_makes_no_sense_is_refused(text):
    with pytest.raises(
        OptionError, match=r"max_memory=.*; give a number of bytes, or text such as 2GB"
    ):
        parse_memory(text)


@pytest.mark.parametrize("limit", [None, OVERHEAD + 8 * 30])
def test_what_fits_is_in_memory(limit):
    found = allocate((5, 6), np.float64, limit)
    assert type(found) is np.ndarray
    assert found.shape == (5, 6)


def test_what_does_not_fit_is_in_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = allocate((5, 6), np.float32, OVERHEAD + 119)
    assert isinstance(found, np.memmap)
    found[:] = 7
    assert np.all(found == 7)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_reported():
    free = shutil.disk_usage(tempfile.gettempdir()).free
    with pytest.raises(OutputError, match=r"MB are free and \d+ MB are needed .*set TMPDIR"):
        allocate((free // 1000, 2000), np.float64, 1e9)


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("fwhm", [0.0, 6.6])
def test_a_run_is_the_same_in_a_file(tiny_run, n_jobs, fwhm):
    run, keep = open_run(tiny_run(frames=20)), np.arange(20) != 4
    mask = np.ones(run.space.shape, dtype=bool)
    plain = extract(Reading(run, keep, fwhm), mask=mask)
    spilt = extract(
        Reading(run, keep, fwhm, n_jobs=n_jobs), mask=mask, storage=Storage(max_memory=1.0)
    )
    assert isinstance(spilt.series, np.memmap)
    assert np.array_equal(spilt.series, plain.series)
    assert np.array_equal(spilt.reference, plain.reference)


def test_pages_that_are_let_go_keep_their_values():
    written = allocate((64, 4096), np.float32, 1.0)
    keeper = PageKeeper(written)
    for number, row in enumerate(written):
        row[:] = number
        keeper.used(1 << 40)  # far more than is kept: lets go each time
    assert np.array_equal(written, np.arange(64.0)[:, None] * np.ones(4096))
    PageKeeper(np.zeros(3)).used(1 << 40)  # an array in memory has nothing to let go


@pytest.mark.parametrize("shape", [(3, 5), (1000, 20_000)])
def test_allocated_memory_can_be_written(shape):
    held = allocate(shape, np.float32, None)
    assert held.shape == shape
    assert held.dtype == np.float32
    assert not isinstance(held, np.memmap)
    held[-1] = 7
    assert held[-1].sum() == 7 * shape[1]


def test_more_than_there_is_is_a_memory_error():
    with pytest.raises(MemoryError):
        allocate((1 << 24, 1 << 30), np.float64, None)
