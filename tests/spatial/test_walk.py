"""Rows arrive in blocks of any size, all who look see every frame once, and who fails stops all."""

import threading
import warnings

import nibabel as nib
import numpy as np
import pytest

from seedmap.errors import SeedmapWarning, TruncatedImage
from seedmap.images import open_run
from seedmap.spatial import Reading, extract, walk

SHAPE = (7, 6, 5)
KEEP = np.array([0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0], dtype=bool)
MASK = np.random.default_rng(1).random(SHAPE) < 0.5


class Copies:
    """A sink that copies its blocks, and an observer of its own that counts."""

    def __init__(self, start, rows):
        self.block = np.empty((rows, start.space.n_samples), dtype=np.float32)
        self.observers = (self,)
        self.start, self.blocks, self.seen, self.lock = start, [], [], threading.Lock()

    def look(self, frame):
        with self.lock:
            self.seen.append((frame.row, frame.stored.copy()))

    def take(self, start, stop, pool):
        assert sorted(row for row, _ in self.seen) == list(range(stop))
        self.blocks.append((start, stop, self.block[: stop - start].copy()))

    def end(self, reference, unusable):
        self.reference, self.unusable = reference, unusable
        return self


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, 3, 8, 50])
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_blocks_of_any_size_are_the_rows(tiny_run, name, rows, n_jobs):
    run = open_run(tiny_run(name))
    whole = extract(Reading(run, KEEP, 6.0), mask=MASK)
    found = walk(Reading(run, KEEP, 6.0, n_jobs), MASK, lambda start: Copies(start, rows))
    assert [stop for _, stop, _ in found.blocks] == [*range(rows, 8, rows), 8]
    assert np.array_equal(np.concatenate([part for *_, part in found.blocks]), whole.series)
    assert np.array_equal(found.reference, whole.reference)
    frames = np.asarray(nib.load(run.path).dataobj)[..., KEEP]
    for row, stored in found.seen:
        assert np.array_equal(stored, frames[..., row].ravel(order="F"))


def test_a_mask_that_the_first_frame_misses_is_found_by_reading_again(tiny_run):
    path = tiny_run()
    image = nib.load(path)
    values = np.asarray(image.dataobj).copy()
    values[..., 0] = 0  # blank: it shows no mask at all
    nib.save(nib.Nifti1Image(values, image.affine, image.header), path)
    begun = []

    def begin(start):
        begun.append(start)
        return Copies(start, 4)

    every = np.ones(12, dtype=bool)
    with pytest.warns(SeedmapWarning, match="frame 0 "):
        found = walk(Reading(open_run(path), every), None, begin)
    assert np.array_equal(found.start.space.mask, values.any(axis=3))
    assert [start.guessed for start in begun] == [False]
    plain = walk(Reading(open_run(path), np.arange(12) > 0), None, begin)
    assert plain.start.guessed  # the first kept frame shows it, and is believed


@pytest.mark.parametrize("rows", [5, 12])
def test_damage_behind_the_last_frame_is_found(tiny_run, rows):
    path = tiny_run("run.nii.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + bytes(4) + whole[-4:])  # a checksum that is not the data's
    reading = Reading(open_run(path), np.ones(12, dtype=bool))
    with pytest.raises(TruncatedImage, match="damaged"):
        walk(reading, MASK, lambda start: Copies(start, rows))


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
@pytest.mark.parametrize("where", ["on_frame", "take"])
def test_who_fails_stops_all_within_a_frame_each(tiny_run, where, n_jobs):
    run, keep, count = open_run(tiny_run(frames=200)), np.ones(200, dtype=bool), []
    before = threading.active_count()

    def on_frame():
        count.append(1)
        if where == "on_frame" and len(count) == 20:
            raise RuntimeError

    def begin(start):
        sink = Copies(start, 20 if where == "take" else 200)
        if where == "take":
            sink.take = lambda start, stop, pool: 1 / 0
        return sink

    with pytest.raises((RuntimeError, ZeroDivisionError)):
        walk(Reading(run, keep, 6.0, n_jobs, on_frame), MASK, begin)
    assert threading.active_count() == before
    ahead = 4  # frames that were read already
    assert len(count) <= 20 + n_jobs + ahead


@pytest.mark.parametrize("value", [0, 57])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("holes", [(0,), (4, 9)])
def test_frames_of_one_value_are_named(tiny_run, value, given, holes):
    path = tiny_run()
    image = nib.load(path)
    values, mask = image.get_fdata(), image.get_fdata()[..., 1] != 0
    for hole in holes:
        values[mask, hole] = value
    nib.save(nib.Nifti1Image(values, image.affine), path)
    run, keep = open_run(path, t_r=2), np.ones(12, dtype=bool)
    keep[2] = False
    with pytest.warns(SeedmapWarning, match=rf"frame {', '.join(map(str, holes))} \(counted from"):
        extract(Reading(run, keep, 6), mask=mask if given else None)
    keep[list(holes)] = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extract(Reading(run, keep, 6), mask=mask if given else None)
