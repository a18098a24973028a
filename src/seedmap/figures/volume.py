"""Figures of volumes: a map on the anatomy, in three cuts."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedmap.figures.style import (
    COLOURS,
    INK,
    MARKER,
    NAMES,
    NOTHING,
    colour_bar,
    in_style,
    limit_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from nibabel.spatialimages import SpatialImage
    from nilearn.plotting.displays import OrthoSlicer

__all__ = ["plot_map"]

# The template is 0 outside the head, and drawn nowhere there.
AIR = 1e-6


def plot_map(
    image: "SpatialImage",
    *,
    seed: str,
    center: tuple[float, float, float] | None,
    threshold: float | None = 0.5,
    stat: str = "r",
    background: "SpatialImage | None" = None,
) -> "Figure":
    """Draw a map on the anatomy in three cuts through the seed.

    Parameters
    ----------
    image
        The map, a three-dimensional nibabel image. NaN is drawn as nothing.
    seed
        Name of the seed, for the title.
    center
        Where to cut and to mark the seed [mm]; None marks nothing and cuts through the
        strongest part of the map.
    threshold
        Values no further from zero than this are not drawn; None draws all.
    stat
        What the values are: ``"r"`` gets a colour bar from -1 to 1, others one that nearly all
        values fit in.
    background
        Image beneath the map; None takes nilearn's MNI152 template.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; `save_figure` writes it.
    """
    from matplotlib.figure import Figure

    image = _finite(image)
    threshold = max(abs(float(threshold or 0.0)), NOTHING)
    limit = limit_of(np.asarray(image.dataobj), stat, threshold)
    name, symbol = NAMES.get(stat, (stat, stat))
    drawn = bool(_drawn(image, threshold).any())
    beyond = f" (|{symbol}| > {threshold:g}{'' if drawn else ': no voxel'})"
    beyond = beyond if threshold > NOTHING else ""
    with in_style():
        figure = Figure(figsize=(7.6, 2.85), facecolor="white")
        display = _anatomy(figure, _cuts(image, center, threshold), background)
        if drawn:  # nilearn warns of an empty overlay
            display.add_overlay(image, threshold, vmin=-limit, vmax=limit, cmap=COLOURS)
        if center is not None:
            _mark(display, center)
        figure.text(0.012, 0.975, f"{seed}: {name}{beyond}", size=11, va="top")
        colour_bar(figure, limit, threshold, symbol)
    return figure


def _finite(image: "SpatialImage") -> "SpatialImage":
    """Return a copy of the image in float32, with zeros for what is not finite."""
    values = np.nan_to_num(np.asarray(image.dataobj, dtype=np.float32), posinf=0.0, neginf=0.0)
    return type(image)(values, image.affine)


def _drawn(image: "SpatialImage", threshold: float) -> NDArray[np.bool_]:
    """Return which voxels lie beyond the threshold."""
    return np.abs(np.asarray(image.dataobj)) > threshold


def _cuts(
    image: "SpatialImage", center: tuple[float, float, float] | None, threshold: float
) -> tuple[float, ...]:
    """Return where to cut [mm]: the seed, else the strongest cluster, else the middle."""
    from nilearn.plotting import find_xyz_cut_coords

    values = np.asarray(image.dataobj)
    if center is not None:
        return tuple(float(c) for c in center)
    if _drawn(image, threshold).any():
        return tuple(map(float, find_xyz_cut_coords(image, activation_threshold=threshold)))
    drawn = np.argwhere(values != 0)
    middle = drawn.mean(axis=0) if drawn.size else (np.array(values.shape) - 1) / 2
    return tuple(map(float, image.affine[:3, :3] @ middle + image.affine[:3, 3]))


def _anatomy(
    figure: "Figure", cuts: tuple[float, ...], background: "SpatialImage | None"
) -> "OrthoSlicer":
    """Draw the anatomy in three cuts on white; return nilearn's display."""
    from nilearn.plotting import plot_anat

    options = {
        "figure": figure,
        "axes": (0.005, 0.01, 0.885, 0.9),
        "cut_coords": cuts,
        "annotate": False,
        "black_bg": False,
        "colorbar": False,
        "draw_cross": False,
    }
    if background is None:
        display = plot_anat(_template(), threshold=AIR, **options)
    else:
        background = _finite(background)
        bright = float(np.quantile(np.asarray(background.dataobj), 0.98))
        # What is darker than a tenth of the brain is air: left white.
        shades = {"threshold": 0.1 * bright, "vmin": -0.4 * bright, "vmax": 1.2 * bright}
        display = plot_anat(background, **shades, **options)
    display.annotate(size=9)
    return display


def _template() -> "SpatialImage":
    """Return the MNI152 template at 2 mm: every second voxel of the one that nilearn ships.

    nilearn's own figures resample it by splines, which takes a second and looks the same.
    """
    from nilearn.datasets import load_mni152_template

    return load_mni152_template(resolution=1).slicer[::2, ::2, ::2]


def _mark(display: "OrthoSlicer", center: tuple[float, float, float]) -> None:
    """Mark the seed by a green dot, as nilearn's example does, rimmed to stand on any colour."""
    place = np.asarray([center], dtype=float)
    display.add_markers(place, marker_color="white", marker_size=70)
    display.add_markers(place, marker_color=INK, marker_size=52)
    display.add_markers(place, marker_color=MARKER, marker_size=34)
