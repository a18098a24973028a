"""Gaussian noise of known spectra, and standard deviations that change in time."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Array]
Scale = Callable[[np.random.Generator, int], Array]

BURN_IN = 500
T_R = 2.0


def autoregressive(*phi: float) -> Draw:
    """Make a generator of Gaussian AR noise of variance 1, shape (frames, pairs)."""
    impulse = signal.lfilter([1.0], [1.0, *(-np.array(phi))], np.eye(1, 4000)[0])
    size = np.sqrt(np.sum(impulse**2))

    def draw(rng: np.random.Generator, frames: int, pairs: int) -> Array:
        white = rng.standard_normal((frames + BURN_IN, pairs)) / size
        return signal.lfilter([1.0], [1.0, *(-np.array(phi))], white, axis=0)[BURN_IN:]

    return draw


def long_memory(rng: np.random.Generator, frames: int, pairs: int) -> Array:
    """Draw fractionally integrated noise, d = .35 (power ~ 1/f^.7)."""
    k = np.arange(1, 4 * frames)
    response = np.cumprod(np.append(1.0, (k - 1 + 0.35) / k))
    white = rng.standard_normal((frames + len(response) - 1, pairs))
    return signal.fftconvolve(white, response[:, None], mode="valid", axes=0)


def power_law(exponent: float) -> Draw:
    """Make a generator of noise of power ~ 1 / f^exponent, down to an eighth of the run's."""

    def draw(rng: np.random.Generator, frames: int, pairs: int) -> Array:
        size = np.append(0, np.fft.rfftfreq(8 * frames)[1:] ** (-exponent / 2))
        white = np.fft.rfft(rng.standard_normal((8 * frames, pairs)), axis=0)
        return np.fft.irfft(white * size[:, None], axis=0)[:frames]

    return draw


def with_peak(hertz: float, half_width: float) -> Draw:
    """Make a generator of AR noise with a Lorentzian peak that holds half of the variance."""
    phi = np.exp(-2 * np.pi * half_width * T_R)
    peak = autoregressive(2 * phi * np.cos(2 * np.pi * hertz * T_R), -(phi**2))
    rest = autoregressive(0.5)

    def draw(rng: np.random.Generator, frames: int, pairs: int) -> Array:
        settle = int(1 / (half_width * T_R))
        narrow = peak(rng, frames + settle, pairs)[settle:]
        return np.sqrt(0.5) * (narrow + rest(rng, frames, pairs))

    return draw


NOISE: dict[str, Draw] = {
    "white": autoregressive(),
    "AR.2": autoregressive(0.2),
    "AR.3": autoregressive(0.3),
    "AR.5": autoregressive(0.5),
    "AR.8": autoregressive(0.8),
    "AR.9": autoregressive(0.9),
    # Like grey matter at TR 2: a steep start, a long tail.
    "AR(4)": autoregressive(0.45, 0.15, 0.1, 0.08),
    "long memory": long_memory,
    "1/f^1.2": power_law(1.2),
    "peak .05 Hz": with_peak(0.05, 0.001),
    "peak .03 Hz": with_peak(0.03, 0.003),
}


def steady(rng: np.random.Generator, frames: int) -> Array:  # noqa: ARG001
    """Let the variance be the same throughout."""
    return np.ones(frames)


def bursts(rng: np.random.Generator, frames: int) -> Array:
    """Let a tenth of the frames have four times the standard deviation, in bursts of 2 to 5."""
    scale = np.ones(frames)
    while np.mean(scale > 1) < 0.1 - 1e-9:
        start = rng.integers(frames)
        scale[start : start + rng.integers(2, 6)] = 4.0
    return scale


def one_frame(size: float) -> Scale:
    """Let one frame have many times the standard deviation of the others."""

    def scale(rng: np.random.Generator, frames: int) -> Array:
        found = np.ones(frames)
        found[rng.integers(5, frames - 5)] = size
        return found

    return scale


def drift(rng: np.random.Generator, frames: int) -> Array:  # noqa: ARG001
    """Let the standard deviation grow from .5 to 1.5."""
    return np.linspace(0.5, 1.5, frames)


def half_silent(rng: np.random.Generator, frames: int) -> Array:  # noqa: ARG001
    """Let the second half have hardly any noise."""
    return np.where(np.arange(frames) < frames / 2, 1.0, 0.02)


SCALES: dict[str, Scale] = {
    "": steady,
    "bursts x 4": bursts,
    "one frame of 10 sd": one_frame(10.0),
    "one frame of 60 sd": one_frame(60.0),
    "sd .5 to 1.5": drift,
    "half silent": half_silent,
}


def censor(
    rng: np.random.Generator, frames: int, share: float, longest: int = 3
) -> NDArray[np.bool_]:
    """Draw frames that stay; the others fall in bursts of one to three."""
    keep = np.ones(frames, dtype=bool)
    while keep.mean() > 1 - share:
        start = rng.integers(frames)
        keep[start : start + rng.integers(1, longest + 1)] = False
    return keep
