"""Numbers in few bytes come back as exactly as was promised, and what holds them is Zarr."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seedmap.store.arrays import read_array, read_facts, write_group
from seedmap.store.numbers import Packed, enough, pack

zarr = pytest.importorskip("zarr")

FINITE = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
TABLES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=FINITE
)


@given(TABLES, st.sampled_from([12, 16, 17, 18, 20]))
def test_packed_numbers_are_off_by_half_a_step_at_most(values, bits):
    values.setflags(write=False)
    packed = pack(values, bits)
    found = packed.values(slice(None)).T
    step = np.abs(values).max(axis=0) / (2.0 ** (bits - 1) - 1)
    assert (np.abs(found - values) <= 0.501 * step * (1 if bits == 16 else 1.07) + 1e-30).all()


@pytest.mark.parametrize("coordinates", [10, 60, 110, 300, 450, 1200])
def test_bits_are_enough_for_correlations_to_1e_5(coordinates):
    rng = np.random.default_rng(coordinates)
    both = rng.standard_normal((2, coordinates, 400))
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    seeds, samples = (pack(one, enough(coordinates)).values(slice(None)).T for one in both)
    away = seeds.T @ samples - both[0].T @ both[1]
    assert away.std() < 1.5e-6
    assert np.abs(away).max() < 7e-6


def test_samples_that_are_not_finite_come_back_as_such():
    values = np.ones((3, 4), dtype=np.float32)
    values[1, 2], values[0, 0] = np.nan, np.inf
    found = pack(values, 20).values(slice(None))
    assert np.isnan(found[[0, 2]]).all()
    np.testing.assert_allclose(found[[1, 3]], 1, rtol=1e-6)


def test_some_samples_are_what_all_give(tmp_path):
    packed = pack(np.random.default_rng(0).standard_normal((7, 30)), 20)
    write_group(tmp_path / "a.zarr", packed.arrays("x"), {})
    back = Packed.of("x", lambda name: read_array(tmp_path / "a.zarr", name), 4)
    some = np.array([3, 20, 4])
    np.testing.assert_array_equal(back.values(some), packed.values(slice(None))[some])


@pytest.mark.parametrize(
    "values",
    [
        np.arange(12, dtype=np.float64).reshape(3, 4),
        np.arange(-5, 5, dtype=np.int16),
        np.zeros((4, 3), dtype=bool),
        np.zeros((0, 5), dtype=np.float32),
        np.ones((2, 2, 2), dtype=np.uint8),
    ],
)
def test_an_array_is_the_same_to_us_and_to_zarr(tmp_path, values):
    values.setflags(write=False)
    write_group(tmp_path / "a.zarr", {"some": values}, {"said": [1, "two"]})
    ours = read_array(tmp_path / "a.zarr", "some")
    theirs = zarr.open_group(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(ours, values)
    np.testing.assert_array_equal(theirs["some"][...], values)
    assert ours.dtype == theirs["some"].dtype == values.dtype
    assert read_facts(tmp_path / "a.zarr") == theirs.attrs["seedmap"] == {"said": [1, "two"]}


def test_arrays_of_other_make_and_cut_ones_are_refused(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("packed", data=np.arange(100))
    group.create_array("parts", data=np.arange(100), chunks=(10,), compressors=None)
    group.create_array("cut", data=np.arange(100), chunks=(100,), compressors=None)
    chunk = tmp_path / "a.zarr" / "cut" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    for name, what in (("packed", "compressed"), ("parts", "in chunks"), ("cut", "799 bytes")):
        with pytest.raises(ValueError, match=what):
            read_array(tmp_path / "a.zarr", name)
