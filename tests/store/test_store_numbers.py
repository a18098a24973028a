"""Numbers in few bytes come back as exactly as was promised, and what holds them is Zarr."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seedmap.errors import ImageError
from seedmap.store.arrays import BLOCK_BYTES, open_group, read_head, write_group
from seedmap.store.numbers import Packed, enough, pack

zarr = pytest.importorskip("zarr")

FINITE = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
TABLES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=FINITE
)

LONG = np.random.default_rng(0).integers(-9, 9, (3000, 20)).astype(np.int16)  # four blocks


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


def written(folder, arrays, **facts):
    """Write a group and open it."""
    write_group(folder / "a.zarr", arrays, facts)
    return open_group(folder / "a.zarr", read_head(folder / "a.zarr"))


def test_some_samples_are_what_all_give(tmp_path):
    packed = pack(np.random.default_rng(0).standard_normal((7, 30)), 20)
    back = Packed.of("x", written(tmp_path, packed.arrays("x")).arrays.get, 4)
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
    group = written(tmp_path, {"some": values, "more": LONG}, said=[1, "two"])
    ours = group.whole("some")
    theirs = zarr.open_group(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(ours, values)
    np.testing.assert_array_equal(theirs["some"][...], values)
    assert ours.dtype == theirs["some"].dtype == values.dtype
    assert group.facts["said"] == theirs.attrs["seedmap"]["said"] == [1, "two"]


@pytest.mark.parametrize(
    "which",
    [
        slice(None),
        slice(818, 820),
        slice(819, 2000),
        slice(2990, 4000),
        slice(5, 5),
        np.array([2999, 0, 819, 818, 0]),
        np.array([], dtype=int),
    ],
)
def test_rows_are_those_of_the_array(tmp_path, which):
    assert BLOCK_BYTES // 40 == 819
    stored = written(tmp_path, {"x": LONG}).arrays["x"]
    assert stored.sums.size == 4
    np.testing.assert_array_equal(stored[which], LONG[which])


def chunk_of(folder, name="x", place="c/0/0"):
    return folder / "a.zarr" / name / place


@pytest.mark.parametrize("damage", ["bit", "zeros", "cut", "longer", "gone"])
def test_damage_is_said_where_it_is_read_and_nowhere_else(tmp_path, damage):
    group = written(tmp_path, {"x": LONG, "y": LONG[:5]})
    path, good = chunk_of(tmp_path), LONG.tobytes()
    at = 40 * 2000
    bad = {
        "bit": good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :],
        "zeros": good[:at] + bytes(40) + good[at + 40 :],
        "cut": good[:-1],
        "longer": good + b"0",
    }
    path.write_bytes(bad[damage]) if damage in bad else path.unlink()
    with pytest.raises(
        ImageError, match=r"a\.zarr: this stored run is damaged \(array x: .*write it"
    ):
        group.arrays["x"][2000:2001]
    with pytest.raises(ImageError, match="damaged"):
        group.arrays["x"].check()
    group.arrays["y"].check()
    if damage in ("bit", "zeros"):
        np.testing.assert_array_equal(group.arrays["x"][0:1638], LONG[:1638])
    path.write_bytes(good)
    group.arrays["x"].check()


def test_facts_and_checksums_are_guarded(tmp_path):
    head = tmp_path / "a.zarr" / "zarr.json"
    written(tmp_path, {"x": LONG}, rank=41)
    text = head.read_text()
    head.write_text(text.replace("41", "40"))
    with pytest.raises(ImageError, match="facts are not those that were written"):
        open_group(tmp_path / "a.zarr", read_head(tmp_path / "a.zarr"))
    head.write_text(text)
    sums = chunk_of(tmp_path, "checksums", "c/0")
    sums.write_bytes(bytes(sums.stat().st_size))
    with pytest.raises(ImageError, match="array checksums is not what was written"):
        open_group(tmp_path / "a.zarr", read_head(tmp_path / "a.zarr"))
