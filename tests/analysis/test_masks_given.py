"""A mask is 0 outside and one value inside; what people pass besides is refused and described."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap.analysis.inputs import find_mask
from seedmap.errors import ImageError
from seedmap.images import open_run

KEEP = np.ones(12, dtype=bool)


@pytest.fixture
def run(tiny_run):
    return open_run(tiny_run())


def image(values, run):
    return nib.Nifti1Image(np.broadcast_to(values, run.space.shape).copy(), run.space.affine)


@given(levels=st.lists(st.sampled_from([0, 1, 2, 0.25, -1, np.nan, 255]), min_size=1, max_size=4))
def test_only_zero_and_one_value_make_a_mask(tmp_path_factory, levels):
    affine, frames = np.diag([2.0, 2, 2, 1]), np.zeros((3, 4, 5, 12), "f4")
    run = open_run(nib.Nifti1Image(frames, affine))
    values = np.resize(np.array(levels, "f4"), (3, 4, 5))
    found = set(np.nan_to_num(levels))
    if found - {0} and len(found - {0}) == 1:
        mask = find_mask(nib.Nifti1Image(values, affine), run, KEEP)
        np.testing.assert_array_equal(mask, np.nan_to_num(values) != 0)
    else:
        with pytest.raises(ImageError, match=r"the mask (is empty|has \d values)"):
            find_mask(nib.Nifti1Image(values, affine), run, KEEP)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.arange(5) % 2 + 1, r"2 values \(1, 2\)"),  # 1 outside, 2 inside
        (np.arange(5), r"5 values \(0, 1, 2, 3, ...\)"),  # a segmentation
        (np.array([0, 0.2, 0.9, 1, 0]), r"4 values \(0, 0.2, 0.9, 1\)"),  # a probability
        (np.array([0, 1, -1, 0, 1]), r"3 values \(-1, 0, 1\)"),
    ],
)
def test_what_is_no_mask_is_described(run, values, said):
    with pytest.raises(
        ImageError, match=rf"the mask has {said}; .* Threshold it, or write the labels"
    ):
        find_mask(image(values.astype("f4"), run), run, KEEP)
