"""Standard errors of correlations that are not zero, against dense traces and simulation."""

import numpy as np
import pytest
from scipy import linalg
from scipy.signal import lfilter

from seedmap.connectivity.bands import find_bands
from seedmap.connectivity.inference import infer
from seedmap.connectivity.noise import effective_dof, noise_tables, seed_kernels, seed_lags
from seedmap.temporal import Cleaning, cleaning_operator

FRAMES = 200


def made_of(**options):
    confounds = np.random.default_rng(2).normal(size=(FRAMES, 6))
    return cleaning_operator(Cleaning(**options), np.ones(FRAMES, bool), 2.0, confounds)


def noise_of(rng, phi, pairs):
    white = rng.normal(size=(FRAMES + 300, pairs))
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], white, axis=0)[300:]


def covariance(phi):
    return linalg.toeplitz(phi ** np.arange(FRAMES))


def dense_ratio(made, x, y, xy):
    """Set the full variance against that of no correlation; also the true correlation."""
    centred = made.L - made.L.mean(axis=0)
    x, y, xy = (centred @ one @ centred.T for one in (x, y, xy))
    a, b = np.trace(x), np.trace(y)
    x, y, xy = x / a, y / b, xy / np.sqrt(a * b)
    rho = np.trace(xy)
    full = np.sum(x * y) + np.sum(xy * xy.T) + rho**2 / 2 * (np.sum(x * x) + np.sum(y * y))
    full += rho**2 * np.sum(xy * xy) - 2 * rho * (np.sum(x * xy) + np.sum(y * xy))
    return np.sqrt(full / np.sum(x * y)) / (1 - rho**2), rho


def test_bands_hold_the_traces_of_the_cleaning():
    rows = made_of(filter=None, detrend=True).rows
    passing = rows.T @ rows
    bands = find_bands(passing, FRAMES)
    assert bands.lags == 28
    assert bands.directions @ bands.gains == pytest.approx(np.trace(passing), rel=1e-6)
    assert bands.directions @ bands.gains**2 == pytest.approx(np.sum(passing**2), rel=1e-6)


def test_bands_outside_the_filter_are_left_out():
    rows = made_of(high_pass=0.05, low_pass=0.1).rows
    bands = find_bands(rows.T @ rows, FRAMES)
    middles = bands.index / (2 * bands.lags) / 2.0
    assert middles.min() > 0.03
    assert middles.max() < 0.13


SHARED = [
    # memory of what is shared, of x's own and of y's own noise; shares of variance that are own
    (0.5, 0.5, 0.5, 0.0, 0.51),
    (0.0, 0.0, 0.9, 0.0, 0.5),
    (0.9, 0.0, 0.0, 0.0, 0.5),
    (0.0, 0.9, 0.9, 0.3, 0.3),
    (0.8, 0.5, 0.5, 0.4, 0.4),
]


@pytest.mark.parametrize("cleaning", [{"filter": None}, {}], ids=["no filter", "band"])
@pytest.mark.parametrize("case", SHARED, ids=str)
def test_ratio_is_that_of_dense_traces_and_intervals_hold(case, cleaning):
    shared, own_x, own_y, part_x, part_y = case
    made, rng, pairs = made_of(**cleaning), np.random.default_rng(8), 800
    both = np.sqrt((1 - part_x) * (1 - part_y))
    wanted, rho = dense_ratio(
        made,
        (1 - part_x) * covariance(shared) + part_x * covariance(own_x),
        (1 - part_y) * covariance(shared) + part_y * covariance(own_y),
        both * covariance(shared),
    )
    common = noise_of(rng, shared, pairs)
    x, y = (
        np.sqrt(1 - part) * common + np.sqrt(part) * noise_of(rng, own, pairs)
        for part, own in ((part_x, own_x), (part_y, own_y))
    )
    tables = noise_tables(made)
    ratio, inside = np.empty(pairs), np.empty(pairs, bool)
    for at in range(pairs):
        seed, sample = x[:, [at]], y[:, [at]]
        kernels = seed_kernels(tables, seed_lags(tables, made.rows, seed), made.residuals(seed))
        dof, of_pair = effective_dof(kernels, made.residuals(sample))
        r = np.corrcoef(made.L @ x[:, at], made.L @ y[:, at])[0, 1]
        se = infer(r, dof, tables.rank, of_pair).se[0, 0]
        ratio[at] = of_pair[0, 0]
        inside[at] = abs(np.arctanh(r) - np.arctanh(rho)) < 1.96 * se
    # smoothed spectra are a little nearer to each other than the true ones
    assert np.median(ratio) == pytest.approx(wanted, rel=0.17)
    assert np.mean(inside) > 0.885
