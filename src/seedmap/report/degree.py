"""What the map of degree says of the maps of seeds, in words."""

import numpy as np

from seedmap.analysis import SeedMaps, global_signal
from seedmap.report.words import number, percent

__all__ = ["describe_degree"]


def describe_degree(maps: SeedMaps) -> list[str]:
    """Say how much of each seed's map degree explains, and what that is a check of; may be empty."""
    degree = maps.degree
    if degree is None:
        return []
    if global_signal(maps.provenance.confounds):
        mean, spread = number(degree.norm**2, 3), number(degree.spread, 3)
        return [
            f"The global signal was regressed out: degree is {mean} on average (standard deviation "
            f"{spread}), and what it explains of a map says nothing."
        ]
    said = []
    for seed in maps.seeds:
        if not np.isfinite(degree.r2[seed]):
            continue
        low, middle, high = degree.random[seed]
        usual = ""
        if np.isfinite(middle):
            usual = (
                f" (spheres at random places: {percent(middle)}, {percent(low)} to {percent(high)})"
            )
        said.append(
            f"The map of the global signal (degree) explains {percent(degree.r2[seed])} of the variance "
            f"of the map of {seed}{usual}."
        )
    return [*said, "A large share says that the cleaning left the global signal in the run."]
