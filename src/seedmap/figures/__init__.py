"""Figures: a map on the anatomy or on the cortex, series over time, and all as files.

matplotlib, and for surfaces `nilearn.plotting`, are imported here only, and when a figure needs
them.
Figures are made as objects, without pyplot: no display is needed, no window is left open and
nobody's style is changed. They take arrays, spaces and images and know nothing of where those come from.
"""

from seedmap.figures.maps import can_draw, draw_map
from seedmap.figures.series import plot_sample_series, plot_series
from seedmap.figures.style import in_style, load_early, save_figure
from seedmap.figures.surface import Side, plot_sides
from seedmap.figures.volume import Display, Highlight, Look, mni_template, plot_map

__all__ = [
    "Display",
    "Highlight",
    "Look",
    "Side",
    "can_draw",
    "draw_map",
    "in_style",
    "load_early",
    "mni_template",
    "plot_map",
    "plot_sample_series",
    "plot_series",
    "plot_sides",
    "save_figure",
]
