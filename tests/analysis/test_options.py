"""The options of an analysis: one declaration, refused when built, the same on every way in."""

import dataclasses
import inspect

import numpy as np
import pytest

from seedmap import SeriesSeed, Sphere, explore, seed_maps
from seedmap.analysis import Inputs, Limits, Method
from seedmap.cli.options import MeasureOptions, RunOptions
from seedmap.cli.study_options import AnalysisOptions
from seedmap.errors import OptionError, SeedError
from seedmap.images import Grid
from seedmap.participants.recipe import Recipe
from seedmap.seeds import parse_seeds, place_seeds

GRID = Grid.whole(np.diag([4.0, 4.0, 4.0, 1.0]), (10, 10, 10))


def test_defaults_are_those_of_the_method_on_every_way_in():
    usual = dataclasses.asdict(Method()) | {"cleaning": None}
    for call in (seed_maps, explore):
        given = {
            name: one.default
            for name, one in inspect.signature(call).parameters.items()
            if name in usual
        }
        assert len(given) >= 2
        assert given.items() <= usual.items()
    for group in (RunOptions(), MeasureOptions(), AnalysisOptions()):
        shared = {name: value for name, value in vars(group).items() if name in usual}
        assert len(shared) >= 2
        assert shared.items() <= usual.items()
    (held,) = (field for field in dataclasses.fields(Recipe) if field.name == "method")
    assert held.default == Method()


def test_seed_maps_has_every_option():
    kinds = (Inputs, Method, Limits)
    names = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert names <= set(inspect.signature(seed_maps).parameters)


@pytest.mark.parametrize(
    ("build", "given", "message"),
    [
        (Method, {"measure": "pearson"}, "measure='pearson' is not known"),
        (Method, {"uncertainty": "sure"}, "uncertainty='sure' is not known"),
        (Method, {"smoothing_fwhm": -1}, "smoothing_fwhm=-1"),
        (Method, {"smoothing_fwhm": [4, 5]}, "one or one an axis"),
        (Limits, {"n_jobs": 0}, "n_jobs=0"),
        (Limits, {"max_memory": "much"}, "max_memory='much'"),
    ],
)
def test_what_makes_no_sense_is_refused_when_built(build, given, message):
    with pytest.raises(OptionError, match=message.replace("[", r"\[")):
        build(**given)


def test_limits_are_numbers():
    assert Limits(n_jobs=3, max_memory="2GB").threads == 3
    assert Limits(max_memory="2GB").memory == 2 * 1024**3
    assert Limits().threads == Limits(n_jobs=-1).threads >= 1
    assert Limits().memory is None


def test_the_longest_lag_is_counted_in_frames():
    assert Method(max_lag=8).frames_of_lag(2.0) == 4
    assert Method(max_lag=0.3).frames_of_lag(0.1) == 3  # 0.3 / 0.1 is a little less than 3
    with pytest.raises(OptionError, match="shorter than one frame"):
        Method(max_lag=1).frames_of_lag(2.0)
    with pytest.raises(OptionError, match="needs the repetition time"):
        Method().frames_of_lag(None)


def test_a_placed_seed_knows_its_share_of_the_mask():
    course = SeriesSeed("own", np.arange(5.0))
    seeds = parse_seeds(["A=20,20,20:4", course, Sphere("B", (4, 4, 4), 4)], frames=5)
    first, second, third = place_seeds(seeds, GRID)
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[:6] = True  # a sphere of radius 4 mm around voxel 5 has seven voxels, one beyond
    half = GRID.within(mask)
    facts = first.facts(half)
    assert (facts.voxels, facts.center) == (7, (20.0, 20.0, 20.0))
    assert facts.coverage == pytest.approx(6 / 7)
    assert second.weights is None
    assert second.voxels.size == 0
    assert np.isnan(second.facts(half).coverage)
    mask[:3] = False
    with pytest.raises(SeedError, match=r"'B': none of its 7 voxels .* nearest sample is 8.0 mm"):
        third.coverage(GRID.within(mask))


def test_seeds_that_do_not_fit_are_refused():
    course = SeriesSeed("own", np.arange(5.0))
    with pytest.raises(SeedError, match="5 values for the 6 frames"):
        parse_seeds(course, frames=6)
    with pytest.raises(SeedError, match="has places only"):
        parse_seeds(course)
    with pytest.raises(SeedError, match="'A b' and 'Ab' would both be called 'Ab'"):
        parse_seeds([Sphere("A b", (0, 0, 0)), Sphere("Ab", (0, 0, 0))])
    with pytest.raises(SeedError, match="a seed is a int"):
        parse_seeds([3])
