"""Time courses of the phantom: head motion, confounds, noise and the planted signals.

The order matters. First chance draws the head motion and the physiological confounds. Then the
planted signals are drawn from the slow fluctuations (inside 0.01 to 0.1 Hz) that cleaning does
not touch: orthogonal to the confounds and to a linear trend, unchanged when bad frames are
filled in by straight lines. So their correlations survive cleaning, and are known exactly.

Time is axis 0. Seconds, hertz, millimetres, radians.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import project_out

__all__ = [
    "Motion",
    "cleaning_projector",
    "confound_table",
    "draw_motion",
    "further_confounds",
    "noise_covariance",
    "planted_signals",
]

BAND = (0.01, 0.1)  # Hz, the recommended band-pass
LEAST_LEFT = 0.1  # of a signal after cleaning; what would need more than tenfold is not mended
ORDER = 5  # of the Butterworth filter
PADDING = 33  # frames; SciPy's own choice for this order
INNER_BAND = (0.013, 0.085)  # Hz, where a Butterworth filter of order 5 passes all
BAD_AFTER = 5  # frames at either end without a jump: filters are least exact there
BAD_SPACING = 6  # frames from one jump to the next, so that each can be filled in
DRIFT_CUTOFF = 128.0  # s, the period of fMRIPrep's fastest cosine
HEAD_RADIUS = 50.0  # mm; rotations count as arcs on this sphere (Power 2012)

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
COMPONENTS = tuple(f"a_comp_cor_{index:02d}" for index in range(6))

# Share and time constant (s) of each part of the noise. A sum of exponentials over a decade
# and a half falls as 1/f between 0.002 and 0.1 Hz, as resting voxels do; the rest is white.
NOISE_PARTS = ((0.45, 0.0), (0.25, 3.0), (0.2, 12.0), (0.1, 60.0))

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Motion:
    """How the head moves."""

    parameters: FloatArray
    """Translations in mm and rotations in radians, shape (frames, 6)."""

    displacement: FloatArray
    """Framewise displacement in mm, 0 in the first frame, shape (frames,)."""

    bad_frames: NDArray[np.intp]
    """Frames at which the head jumps; indices."""


def noise_covariance(n_frames: int, t_r: float) -> FloatArray:
    """Return the covariance over time of one voxel's noise, variance one, (frames, frames)."""
    lag = np.abs(np.subtract.outer(np.arange(n_frames), np.arange(n_frames))) * t_r
    parts = [share * (np.exp(-lag / tau) if tau else lag == 0) for share, tau in NOISE_PARTS]
    return np.sum(parts, axis=0)


def draw_motion(
    rng: np.random.Generator, n_frames: int, t_r: float, n_bad_frames: int | None
) -> Motion:
    """Draw a head that jitters, drifts, and jumps at a few frames to a new place.

    Parameters
    ----------
    rng
        Source of chance.
    n_frames
        Length of the run.
    t_r
        Repetition time in s.
    n_bad_frames
        Number of jumps; None for 3 percent of the frames. Short runs hold fewer.
    """
    units = np.array([1.0, 1.0, 1.0, 0.01, 0.01, 0.01])  # mm, and radians
    places = np.arange(BAD_AFTER, n_frames - BAD_AFTER, BAD_SPACING)
    wanted = max(1, round(0.03 * n_frames)) if n_bad_frames is None else n_bad_frames
    bad = np.sort(rng.choice(places, size=min(wanted, places.size), replace=False))
    jitter = 0.008 * rng.standard_normal((n_frames, 6))
    wander = 0.08 * _coloured(rng, n_frames, 6, t_r, seconds=60.0)
    trend = np.linspace(-0.5, 0.5, n_frames)[:, None] * rng.normal(0, 0.15, 6)
    steps = np.zeros((n_frames, 6))
    steps[bad] = rng.uniform(0.3, 0.8, (bad.size, 6)) * rng.choice([-1.0, 1.0], (bad.size, 6))
    parameters = (jitter + wander + trend + np.cumsum(steps, axis=0)) * units
    moved = np.abs(np.diff(parameters, axis=0, prepend=parameters[:1]))
    displacement = moved @ np.array([1, 1, 1, HEAD_RADIUS, HEAD_RADIUS, HEAD_RADIUS])
    return Motion(parameters, displacement, bad)


def confound_table(
    rng: np.random.Generator, motion: Motion, t_r: float, n_components: int
) -> dict[str, FloatArray]:
    """Draw the confounds that explain the artefacts, in the columns of the reference data set.

    Returns
    -------
    dict of str to ndarray, shape (frames,)
        Motion, displacement, ``n_components`` of aCompCor, and the means of fluid and white
        matter. The last two share a global part.
    """
    n_frames = len(motion.parameters)
    table = dict(zip(MOTION, motion.parameters.T, strict=True))
    table["framewise_displacement"] = motion.displacement
    body = _coloured(rng, n_frames, 3 + len(COMPONENTS), t_r, seconds=8.0)
    components = body[:, 3 : 3 + n_components] / np.sqrt(n_frames)
    table.update(zip(COMPONENTS, components.T, strict=False))
    table["csf"] = 11_800 + 60 * (0.6 * body[:, 0] + 0.8 * body[:, 1])
    table["white_matter"] = 8_600 + 40 * (0.6 * body[:, 0] + 0.8 * body[:, 2])
    return table


def further_confounds(
    rng: np.random.Generator, table: dict[str, FloatArray], t_r: float
) -> dict[str, FloatArray]:
    """Widen a table to the columns that fMRIPrep writes; NaN where it writes ``n/a``.

    Added are the global signal, differences and squares, DVARS and cosines.
    """
    n_frames = table["csf"].size
    wide = dict(table)
    wide["framewise_displacement"] = _without_first(table["framewise_displacement"])
    body = 0.5 * (table["csf"] + table["white_matter"])
    wide["global_signal"] = body + 10 * rng.standard_normal(n_frames)
    for name in (*MOTION, "csf", "white_matter", "global_signal"):
        change = _without_first(np.diff(wide[name], prepend=0.0))
        wide[f"{name}_derivative1"] = change
        wide[f"{name}_power2"] = wide[name] ** 2
        wide[f"{name}_derivative1_power2"] = change**2
    dvars = 100 + 60 * table["framewise_displacement"] + 4 * rng.standard_normal(n_frames)
    wide["dvars"] = _without_first(dvars)
    wide["std_dvars"] = wide["dvars"] / np.median(dvars)
    cosines, frequency = _cosines(n_frames, t_r)
    for index in np.flatnonzero(frequency < 1 / DRIFT_CUTOFF):
        wide[f"cosine{index:02d}"] = cosines[:, index]
    return wide


def _without_first(column: FloatArray) -> FloatArray:
    return np.concatenate([[np.nan], column[1:]])


def cleaning_projector(confounds: FloatArray, keep: NDArray[np.bool_], t_r: float) -> FloatArray:
    """Write the recommended cleaning as a matrix, (kept, frames).

    Bad frames are filled in by straight lines, the trend is removed, a Butterworth filter cuts
    the band, bad frames are dropped, and the confounds, treated alike, are projected out. This
    is written out here once more so that the phantom's answer does not rest on the code that
    is tried on it.

    Parameters
    ----------
    confounds
        Shape (frames, columns).
    keep
        Frames that stay, shape (frames,).
    t_r
        Repetition time in s.
    """
    filtering = _band_filter(keep, t_r)
    nuisance = filtering @ _unit_columns(confounds)
    basis = np.linalg.qr(nuisance)[0] if nuisance.size else nuisance
    return np.asarray(project_out(basis, filtering), dtype=np.float64)


def planted_signals(
    rng: np.random.Generator,
    correlation: FloatArray,
    tables: tuple[FloatArray, FloatArray],
    keep: NDArray[np.bool_],
    t_r: float,
) -> FloatArray:
    """Draw slow signals whose correlations after cleaning are exactly as asked.

    Parameters
    ----------
    rng
        Source of chance.
    correlation
        Wanted correlations, shape (regions, regions).
    tables
        Confounds that the signals must not resemble, and further ones that they should
        resemble as little as they can; each of shape (frames, columns).
    keep
        Frames that stay, shape (frames,).
    t_r
        Repetition time in s.

    Returns
    -------
    ndarray, shape (frames, regions)
        Signals that have unit variance (ddof=1) after `cleaning_projector`. In runs so short
        that cleaning leaves fewer dimensions than regions, the correlations come only close.
    """
    n_regions = len(correlation)
    basis, frequency = _cosines(keep.size, t_r)
    slow = (frequency >= INNER_BAND[0]) & (frequency <= INNER_BAND[1])
    basis = basis[:, slow]
    frequency = frequency[slow]
    quiet = _untouched(basis, tables, keep, t_r, n_regions)
    colour = 1 / (1 + (frequency / 0.05) ** 2)  # haemodynamics damp what is faster
    drawn = colour[:, None] * rng.standard_normal((frequency.size, n_regions))
    signals = _nearest_orthonormal(basis @ (quiet @ (quiet.T @ drawn)))
    left_over = cleaning_projector(tables[0], keep, t_r) @ signals
    size, right = np.linalg.svd(left_over - left_over.mean(axis=0), full_matrices=False)[1:]
    if size.size == n_regions and size[-1] > LEAST_LEFT:
        signals = signals @ (right.T / size) @ right
    return np.sqrt(keep.sum() - 1) * signals @ np.linalg.cholesky(correlation).T


def _nearest_orthonormal(columns: FloatArray) -> FloatArray:
    """Straighten columns with the least change; in too few dimensions, as far as can be."""
    left, size, right = np.linalg.svd(columns, full_matrices=False)
    usable = size > 1e-6 * size.max(initial=0.0)
    return left[:, usable] @ right[usable]


def _untouched(
    basis: FloatArray,
    tables: tuple[FloatArray, FloatArray],
    keep: NDArray[np.bool_],
    t_r: float,
    at_least: int,
) -> FloatArray:
    """Coefficients of signals that cleaning leaves alone, orthonormal, (basis, directions)."""
    filtering = _band_filter(keep, t_r)
    strict, loose = (_orthonormal(filtering @ _unit_columns(table)) for table in tables)
    ramp = np.linspace(-1, 1, keep.size)[None] / np.sqrt(keep.size / 3)
    rows = [
        1e3 * strict.T @ basis[keep],
        1e3 * (_fill(keep) - np.eye(keep.size))[~keep] @ basis,
        1e3 * ramp @ basis,
        1e3 * basis[[0, -1]],
        loose.T @ basis[keep],
    ]
    size, right = np.linalg.svd(np.concatenate(rows))[1:]
    touched = int((size > 1e-6).sum())
    return right[min(touched, max(len(right) - at_least, 0)) :].T


def _band_filter(keep: NDArray[np.bool_], t_r: float) -> FloatArray:
    """Fill, detrend, cut the band forth and back, drop: shape (kept, frames)."""
    from scipy import signal

    n_frames = keep.size
    trend = np.linalg.qr(np.vander(np.linspace(-1, 1, n_frames), 2))[0]
    filled = _fill(keep)
    detrended = project_out(trend, filled)
    whole_band = 0.5 / t_r > BAND[1]  # slow scanners sample nothing above the band
    edges, kind = (BAND, "bandpass") if whole_band else (BAND[0], "highpass")
    sections = signal.butter(ORDER, edges, kind, fs=1 / t_r, output="sos")
    padding = min(PADDING, n_frames - 1)
    return signal.sosfiltfilt(sections, detrended, axis=0, padlen=padding)[keep]


def _fill(keep: NDArray[np.bool_]) -> FloatArray:
    """Matrix that replaces bad frames by straight lines between their neighbours."""
    frames = np.arange(keep.size)
    columns = [np.interp(frames, frames[keep], row) for row in np.eye(keep.size)[:, keep]]
    return np.stack(columns, axis=1)


def _cosines(n_frames: int, t_r: float) -> tuple[FloatArray, FloatArray]:
    """Orthonormal cosines (DCT-II) without the constant, and their frequencies in Hz."""
    order = np.arange(1, n_frames)
    phase = np.pi * (np.arange(n_frames) + 0.5) / n_frames
    basis = np.sqrt(2 / n_frames) * np.cos(np.outer(phase, order))
    return basis, order / (2 * n_frames * t_r)


def _coloured(
    rng: np.random.Generator, n_frames: int, n_series: int, t_r: float, seconds: float
) -> FloatArray:
    """Draw unit-variance series that forget over so many seconds, shape (frames, series)."""
    keep = np.exp(-t_r / seconds)
    steps = rng.standard_normal((n_frames, n_series))
    for frame in range(1, n_frames):
        steps[frame] = keep * steps[frame - 1] + np.sqrt(1 - keep**2) * steps[frame]
    return steps


def _unit_columns(table: FloatArray) -> FloatArray:
    """Centre each column and give it length one; constant columns become zero."""
    centred = table - table.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    return centred / np.where(length > 0, length, 1.0)


def _orthonormal(columns: FloatArray) -> FloatArray:
    if not columns.size:
        return columns
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, size > 1e-6 * size[0]]
