"""People's maps as one array: in order, combined by weights, and in no more memory than that takes."""

import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from seedmap.group.loading import load_people
from seedmap.group.people import Member, Piece

SHAPE = (40, 40, 40)


def written(folder, values, name):
    path = folder / f"{name}.nii"
    nib.Nifti1Image(values.astype(np.float32), np.diag([4, 4, 4, 1])).to_filename(path)
    return path


@pytest.mark.parametrize("growing", [False, True])
def test_masks_that_differ_and_weights_of_sessions(tmp_path, growing):
    rng = np.random.default_rng(0)
    members, wanted, places = [], [], []
    for number in range(8):
        inside = np.zeros(SHAPE, dtype=bool)
        inside[2 : 10 + (3 * number if growing else number % 3), 5:30, 5:30] = True
        pieces, total = [], 0
        for session, weight in enumerate((1.0, -0.5)):
            value = rng.normal(size=SHAPE).astype(np.float32)
            own = inside & (rng.random(SHAPE) > 0.05)
            name = f"{number}-{session}"
            effect = written(tmp_path, np.where(own, value, 0), name)
            se = written(tmp_path, np.where(own, abs(value), 0), f"{name}-se")
            pieces.append(Piece(effect, se, weight))
            total = total + np.where(own, np.float32(weight) * value, np.nan)
            error = np.where(own, np.float32(weight**2) * value**2, np.nan)
            places.append(own)
            wanted.append((total, error))
        members.append(Member(f"{number:02d}", tuple(pieces)))
    loaded = load_people(members, {})
    there = np.any(places, axis=0)
    assert loaded.space.n_samples == there.sum()
    for row, number in enumerate(range(0, 16, 2)):
        np.testing.assert_allclose(loaded.maps[row], wanted[number + 1][0][there], rtol=1e-6)
        variance = wanted[number][1] + wanted[number + 1][1]
        np.testing.assert_allclose(loaded.variances[row], variance[there], rtol=1e-6)


def test_no_more_memory_is_taken_than_the_samples_need(tmp_path):
    rng, people = np.random.default_rng(0), 60
    inside = np.zeros(SHAPE, dtype=bool)
    inside[:12, :35, :] = True
    members = []
    for number in range(people):
        paths = [written(tmp_path, inside * rng.random(SHAPE), f"{number}{kind}") for kind in "es"]
        members.append(Member(f"{number:02d}", (Piece(*paths),)))
    load_people(members[:2], {})  # what is imported on the way does not count
    tracemalloc.start()
    loaded = load_people(members, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = loaded.maps.nbytes + loaded.variances.nbytes
    one = 8 * np.prod(SHAPE)
    assert peak < 1.1 * size + 10 * one


def test_large_maps_lie_outside_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    members = []
    for number in range(3):
        paths = [written(tmp_path, 1 + rng.random(SHAPE), f"{number}{kind}") for kind in "es"]
        members.append(Member(f"{number:02d}", (Piece(*paths),)))
    inside = load_people(members, {})
    monkeypatch.setattr("seedmap.group.loading.LARGE", 0)
    outside = load_people(members, {})
    assert isinstance(outside.variances, np.memmap)
    assert not isinstance(inside.variances, np.memmap)
    some = np.array([5, 3, 60_000])
    np.testing.assert_array_equal(outside.variances_at(some), inside.variances[:, some])
    np.testing.assert_array_equal(outside.variances, inside.variances)
    np.testing.assert_array_equal(outside.maps, inside.maps)
