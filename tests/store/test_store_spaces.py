"""Runs on surfaces and grayordinates are stored as volumes are."""

import numpy as np
import pytest

import seedmap as sm
from seedmap.analysis.options import Inputs, Method
from seedmap.analysis.pipeline import maps_of
from seedmap.analysis.prepare import prepare, read
from seedmap.analysis.stored import origin_facts, stored_maps
from seedmap.datasets.surface import make_grayordinate_phantom, make_surface_phantom
from seedmap.errors import OptionError, SeedError
from seedmap.spatial import Reading, extract
from seedmap.store import open_stored, write_stored

pytest.importorskip("zarr")


def made(phantom, folder, seeds):
    """Map a run from its files, and store it."""
    inputs = Inputs(phantom.func[0], confounds=phantom.confounds[0], surfaces=phantom.surfaces)
    prepared = prepare(inputs, seeds, Method(smoothing_fwhm=4))
    smooth = read(prepared)
    maps = maps_of(prepared, smooth)
    plain = extract(Reading(prepared.run, prepared.keep), mask=smooth.grid.mask)
    facts = {**origin_facts(maps), "file": "sub-01_task-rest_bold.func.gii"}
    write_stored(folder, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)
    return maps


MAKERS = {
    "mesh": (make_surface_phantom, (46, -68, 32)),
    "grayordinates": (make_grayordinate_phantom, (20, -56, -26)),
}


@pytest.fixture(scope="module", params=MAKERS)
def both(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    make, place = MAKERS[request.param]
    phantom = make(folder / "run", n_frames=110, t_r=2.0)
    seeds = [sm.Region("PCC", phantom.atlas, "PCC"), sm.Sphere("place", place)]
    return made(phantom, folder / "stored.zarr", seeds), folder / "stored.zarr", seeds


def test_maps_of_stored_surfaces_are_those_from_the_files(both):
    maps, path, seeds = both
    found = stored_maps(path, seeds)
    np.testing.assert_allclose(found.r, maps.r, atol=1e-5)
    assert np.nanmax(np.abs(found.z - maps.z)) < 1e-3
    np.testing.assert_allclose(found.seed_series, maps.seed_series, atol=2e-3)
    np.testing.assert_allclose(found.sample_series, maps.sample_series, atol=2e-3)
    assert found.certainty.noise_autocorrelation == maps.certainty.noise_autocorrelation
    for mine, theirs in zip(found.near, maps.near, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert [s.center for s in found.provenance.seeds] == [s.center for s in maps.provenance.seeds]


def test_the_space_comes_back_whole(both, tmp_path):
    maps, path, seeds = both
    found, space = open_stored(path).space, maps.space
    assert type(found) is type(space)
    assert [part.name for part in found.parts] == [part.name for part in space.parts]
    np.testing.assert_array_equal(found.mask, space.mask)
    np.testing.assert_allclose(found.coordinates(), space.coordinates(), atol=1e-4)
    written = [path.name for path in stored_maps(path, seeds, uncertainty=None).save(tmp_path)]
    assert any("stat-r" in name for name in written)
    assert not any("stat-z" in name for name in written)


def test_what_a_store_cannot_do_is_refused(both):
    _, path, seeds = both
    with pytest.raises(OptionError, match="'xdf': a stored run knows"):
        stored_maps(path, seeds, uncertainty="xdf")
    with pytest.raises(SeedError, match="has places only"):
        stored_maps(path, sm.SeriesSeed("own", np.arange(110.0)))
    with pytest.raises(SeedError, match="would both be called 'PCC'"):
        stored_maps(path, [seeds[0], seeds[0]])
    with pytest.raises(SeedError, match="no seed is given"):
        stored_maps(path, [])
