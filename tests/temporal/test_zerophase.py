"""Our own Butterworth filter is SciPy's, to rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt, sosfreqz

from seedmap.temporal.zerophase import BLOCK, butterworth, zero_phase


def scipys(order, high_pass, low_pass):
    edges = [edge for edge in (high_pass, low_pass) if edge is not None]
    kind = "bandpass" if len(edges) == 2 else "highpass" if low_pass is None else "lowpass"
    return butter(order, edges if len(edges) == 2 else edges[0], kind, output="sos")


def as_scipy_writes(sections):
    ones = np.ones((len(sections.a), 1))
    return np.hstack([sections.b, ones, sections.a])


BANDS = [
    (0.04, 0.4), (0.04, None), (None, 0.4), (0.001, 0.9), (0.0005, None), (None, 0.99),
    (0.3, 0.301), (0.5, 0.6), (0.9, 0.99), (0.02, 0.021),
]  # fmt: skip


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize("band", BANDS)
def test_the_design_passes_what_scipys_passes(order, band):
    angles = np.linspace(0, np.pi, 1001)
    ours = np.abs(sosfreqz(as_scipy_writes(butterworth(order, *band)), angles)[1])
    theirs = np.abs(sosfreqz(scipys(order, *band), angles)[1])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize("band", BANDS)
def test_every_filter_is_stable(order, band):
    a = butterworth(order, *band).a
    poles = np.array([np.roots([1, *section]) for section in a])
    assert np.abs(poles).max() < 1


@given(
    order=st.integers(1, 8),
    band=st.tuples(st.floats(0.005, 0.4), st.floats(0.05, 0.5)),
    kind=st.sampled_from(["both", "high", "low"]),
    edges=st.sampled_from(["odd", "even"]),
    frames=st.integers(2, 400),
    rng=st.integers(0, 1000),
)
def test_filtering_is_scipys(order, band, kind, edges, frames, rng):
    high_pass = None if kind == "low" else band[0]
    low_pass = None if kind == "high" else band[0] + band[1]
    random = np.random.default_rng(rng)
    padding = int(random.integers(1, frames))
    series = 5 + random.standard_normal((frames, 3))
    series.setflags(write=False)
    wanted = sosfiltfilt(
        scipys(order, high_pass, low_pass), series, axis=0, padtype=edges, padlen=padding
    )
    found = zero_phase(butterworth(order, high_pass, low_pass), series, padding, edges)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("frames", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5])
def test_blocks_leave_no_seam(frames):
    series = np.random.default_rng(0).standard_normal((frames, 2))
    found = zero_phase(butterworth(5, 0.04, 0.4), series, frames - 1, "even")
    wanted = sosfiltfilt(scipys(5, 0.04, 0.4), series, axis=0, padtype="even", padlen=frames - 1)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("band", "gain"), [((None, 0.4), 1.0), ((0.04, None), 0.0), ((0.04, 0.4), 0.0)]
)
@pytest.mark.parametrize("order", [1, 2, 5])
def test_a_constant_passes_a_low_pass_alone(order, band, gain):
    series = np.full((90, 1), 1000.0)
    found = zero_phase(butterworth(order, *band), series, 30, "odd")
    np.testing.assert_allclose(found, gain * series, rtol=0, atol=1e-7)


def test_whole_numbers_are_filtered_as_floats():
    series = np.arange(80).reshape(40, 2) ** 2
    found = zero_phase(butterworth(2, None, 0.3), series, 9, "odd")
    assert found.dtype == np.float64
    wanted = sosfiltfilt(scipys(2, None, 0.3), series.astype(float), axis=0, padlen=9)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
