"""The phantom study with a planted group difference: found in place, and nowhere else."""

import runpy
from pathlib import Path

import matplotlib as mpl
import pytest
from scipy.ndimage import binary_dilation

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_8_group.py"


@pytest.mark.slow
@pytest.mark.filterwarnings("default::seedmap.errors.SeedmapWarning")
def test_the_example_finds_what_was_planted(monkeypatch):
    monkeypatch.setattr(mpl, "get_backend", lambda: "agg")
    names = runpy.run_path(str(EXAMPLE))
    significant, planted = names["significant"], names["planted"]
    weight = names["truth"].weights[names["motor"]]
    reach = planted.copy()
    reach[names["truth"].brain] = weight > 0.25
    dice = 2 * (significant & reach).sum() / (significant.sum() + reach.sum())
    assert dice >= 0.6
    assert not (significant & ~binary_dilation(reach, iterations=2)).any()
