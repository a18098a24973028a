"""L7: the map that lesions of a territory have in common is that of their places, and not degree."""

import nibabel as nib
import numpy as np
import pytest

from seedmap.lesions import Connectome, draw_set, lesion_series, mean_maps
from seedmap.lesions.nulls import Places

PEOPLE, COORDINATES = 6, 60


def degree(connectome):
    """Return the mean correlation of each sample with all."""
    rows = connectome.smooth.astype(float)
    return np.einsum("vpk,pk->v", rows, rows.mean(axis=0)) / rows.shape[1]


def found_and_expected(connectome, lesions, tools):
    """Return the mean map of lesions, and that of a seed of all by their frequency."""
    frequency = tools.rows([np.arange(connectome.samples)], connectome.samples)
    frequency.data = np.asarray(lesions.sum(axis=0)).astype(float)
    return [
        mean_maps(connectome, lesion_series(connectome, one)).mean.mean(axis=0)
        for one in (lesions, frequency)
    ]


@pytest.mark.parametrize("overall", [0.7, None])
def test_the_expected_map_is_where_lesions_fall(tools, overall):
    """In made runs, with the global signal and without, where all samples have a degree of 0."""
    made = tools.connectome(10, rng=4, overall=overall)
    territory = (made.places.voxels[:, 0] < 5) & (made.places.voxels[:, 1] < 8)
    places = Places.of(np.ones(tools.shape, bool), territory)
    lesions = draw_set(places, tools.shapes(np.random.default_rng(0), 25), 0, 0)
    found, expected = found_and_expected(made.connectome, lesions, tools)
    assert np.corrcoef(found, expected)[0, 1] >= 0.85
    if overall is None:
        assert abs(degree(made.connectome)).max() < 1e-3


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def real_run(data_folder):
    """Return a real run: the mask, places [mm], standardised samples (samples, frames)."""
    stem = data_folder / "volume" / "sub-01_task-rest_space-MNI152_res-4_desc-"
    image = nib.load(f"{stem}preproc_bold.nii.gz")
    mask = nib.load(f"{stem}brain_mask.nii.gz").get_fdata() > 0
    plain = image.get_fdata(dtype=np.float32)[mask].astype(float)
    slow = np.vander(np.linspace(-1, 1, plain.shape[1]), 3)
    basis, _ = np.linalg.qr(slow)
    plain -= plain @ basis @ basis.T
    return mask, nib.affines.apply_affine(image.affine, np.argwhere(mask)), unit(plain)


def people_of(plain, mask, tools, *, without_global):
    """Make people with the covariance of a run, and sampling noise of 60 coordinates."""
    boxes = np.zeros((plain.shape[1], mask.size))
    boxes[:, mask.ravel()] = plain.T
    soft = unit(tools.smoothed(boxes, mask.shape, 0.64)[:, mask.ravel()].T)
    random, smooth, raw = np.random.default_rng(0), [], []
    for _ in range(PEOPLE):
        draw = random.standard_normal((plain.shape[1], COORDINATES))
        mine, own = unit(soft @ draw), plain @ draw
        for _ in range(30 if without_global else 0):
            mean = mine.mean(axis=0)
            mean /= np.linalg.norm(mean)
            mine = unit(mine - np.outer(mine @ mean, mean))
            own -= np.outer(own @ mean, mean)
        smooth.append(mine)
        raw.append(own)
    smooth, raw = (np.stack(one, axis=1).astype(np.float32) for one in (smooth, raw))
    ones = np.ones(smooth.shape[:2], np.float32)
    return Connectome(smooth, ones, raw, ones, np.arange(PEOPLE), np.ones(PEOPLE))


@pytest.mark.slow
def test_after_removal_of_the_global_signal_degree_does_not_show_a_territory(real_run, tools):
    """L7 as it is stated, with the covariance of a real run; the control is degree."""
    mask, at, plain = real_run
    left = (at[:, 0] < -18) & (abs(at[:, 1] + 8) < 37) & (at[:, 2] > -10) & (at[:, 2] < 55)
    places = Places.of(mask, left.astype(float))
    radii = np.random.default_rng(1).uniform(1.8, 4, 25)  # 1.6 to 16 ml
    shapes = [tools.ball(radius) for radius in radii]
    lesions = [draw_set(places, shapes, 2, number) for number in range(2)]
    kept, removed = (
        people_of(plain, mask, tools, without_global=without) for without in (False, True)
    )
    hubs = degree(kept)
    assert abs(degree(removed)).max() < 1e-3
    for one in lesions:
        for connectome in (kept, removed):
            found, expected = found_and_expected(connectome, one, tools)
            assert np.corrcoef(found, expected)[0, 1] >= 0.85
            like = np.corrcoef(found, hubs)[0, 1]
            assert like >= 0.4 if connectome is kept else abs(like) <= 0.2
    # and yet independent sets of lesions agree
    first, second = (found_and_expected(removed, one, tools)[0] for one in lesions)
    assert np.corrcoef(first, second)[0, 1] >= 0.5
