"""Faults of the peer that we do not have, each with what would show it."""

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm

FRAMES = 100
CENSORED = {
    "inside": [33, 60],
    "mirrored pair": [20, 79],
    "two mirrored pairs": [10, 11, 88, 89],
    "head": [0, 1, 2],
    "tail": [98, 99],
    "head and tail": [0, 1, 99],
    "all over": [0, 5, 6, 7, 50, 94, 99],
}


def mapped(image, seed, *, censored=(), **options):
    keep = np.ones(FRAMES, dtype=bool)
    keep[list(censored)] = False
    options = {"t_r": 2.0, "uncertainty": "operator"} | options
    return sm.seed_maps(image, seed, sample_mask=keep, **options)


def assert_same(one, other):
    np.testing.assert_array_equal(one.space.mask, other.space.mask)
    for stat in ("r", "fisherz", "dof", "z", "p", "q"):
        np.testing.assert_array_equal(getattr(one, stat), getattr(other, stat))
    np.testing.assert_array_equal(one.seed_series, other.seed_series)


@pytest.mark.parametrize("spike", [1e6, -1e6, np.nan, np.inf], ids=str)
@pytest.mark.parametrize("name", CENSORED)
def test_spike_in_a_censored_volume(stored, affine, table, pcc, name, spike):
    """Brain, seed, background and confounds of a censored volume: none of them is looked at."""
    censored = CENSORED[name]
    spoilt, spoilt_table = stored.copy(), table.copy()
    spoilt[..., censored] = spike
    spoilt_table[censored] = spike
    clean = mapped(nib.Nifti1Image(stored, affine), pcc, censored=censored, confounds=table)
    found = mapped(nib.Nifti1Image(spoilt, affine), pcc, censored=censored, confounds=spoilt_table)
    assert_same(clean, found)


@pytest.mark.parametrize("options", [{"fill": "spline"}, {"edges": "even"}, {"filter": "cosine"}])
def test_spike_whatever_the_cleaning(stored, affine, pcc, options):
    censored = CENSORED["all over"]
    spoilt = stored.copy()
    spoilt[..., censored] *= -50
    cleaning = sm.Cleaning(**options)
    maps = [
        mapped(nib.Nifti1Image(values, affine), pcc, censored=censored, cleaning=cleaning)
        for values in (stored, spoilt)
    ]
    assert_same(*maps)


@pytest.mark.parametrize("kind", ["background", "epi"])
def test_mask_comes_from_kept_frames(stored, affine, pcc, kind):
    """A censored volume that lights up the background does not widen the mask."""
    spoilt = stored.copy()
    spoilt[..., 40] = 1e5
    image = nib.Nifti1Image(spoilt, affine)
    kept = mapped(image, pcc, censored=[40], mask_img=kind, uncertainty=None)
    right = mapped(
        nib.Nifti1Image(stored, affine), pcc, censored=[40], mask_img=kind, uncertainty=None
    )
    np.testing.assert_array_equal(kept.space.mask, right.space.mask)


def test_first_volume_censored(stored, affine, pcc):
    """The volume that is subtracted to save digits is the first that stays."""
    spoilt = stored.astype(np.float64)
    spoilt[..., 0] = 1e12
    found = mapped(nib.Nifti1Image(spoilt, affine), pcc, censored=[0], uncertainty=None)
    right = mapped(nib.Nifti1Image(stored, affine), pcc, censored=[0], uncertainty=None)
    np.testing.assert_allclose(found.r, right.r, rtol=0, atol=1e-6)


def test_sphere_means_of_integers_are_not_cut(stored, affine, pcc):
    """A signal of a few units in an int16 image keeps its fractions in the mean of the sphere."""
    small = np.rint((stored - stored.mean(axis=3, keepdims=True)) / 40 + 100 * (stored != 0))
    as_int = mapped(nib.Nifti1Image(small.astype(np.int16), affine), pcc, uncertainty=None)
    as_float = mapped(nib.Nifti1Image(small.astype(np.float64), affine), pcc, uncertainty=None)
    np.testing.assert_allclose(as_int.r, as_float.r, rtol=0, atol=1e-6)
    np.testing.assert_allclose(as_int.seed_series, as_float.seed_series, atol=1e-10)


@pytest.mark.parametrize(
    "extra",
    {
        "duplicates": lambda table: table,
        "one twice": lambda table: table[:, [3]],
        "scaled": lambda table: -1e4 * table[:, :2] + 7,
        "sums": lambda table: table[:, :4] @ np.arange(8.0).reshape(4, 2),
        "constant": lambda table: np.full((len(table), 1), 3.0),
        "zero": lambda table: np.zeros((len(table), 1)),
    }.items(),
    ids=lambda item: item[0],
)
def test_confounds_that_repeat_others(stored, affine, table, pcc, extra):
    image = nib.Nifti1Image(stored, affine)
    once = mapped(image, pcc, confounds=table)
    again = mapped(image, pcc, confounds=np.hstack([table, extra[1](table)]))
    assert again.provenance.confound_rank == once.provenance.confound_rank
    np.testing.assert_allclose(again.r, once.r, rtol=0, atol=2e-6)
    np.testing.assert_allclose(again.dof, once.dof, rtol=1e-4)


@pytest.mark.parametrize("sample_mask", [np.delete(np.arange(FRAMES), [3, 96]), np.arange(100) > 4])
def test_arrays_of_the_caller_stay(stored, affine, table, sample_mask):
    """Read-only arrays are enough, and writable ones are the same afterwards, bit for bit."""
    own = [
        np.array(stored),
        np.array(table),
        np.array(sample_mask),
        np.random.default_rng(0).normal(size=FRAMES),
    ]
    before = [array.tobytes() for array in own]
    for writable in (True, False):
        for array in own:
            array.setflags(write=writable)
        image = nib.Nifti1Image(own[0], affine)
        sm.seed_maps(
            image,
            [sm.Sphere("PCC", (0, -52, 18)), sm.SeriesSeed("own", own[3])],
            confounds=own[1],
            sample_mask=own[2],
            t_r=2.0,
        )
        assert [array.tobytes() for array in own] == before
