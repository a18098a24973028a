"""Runs on surfaces and grayordinates in memory: their maps are those of `seed_maps`."""

import nibabel as nib
import numpy as np
import pytest

from seedmap import Sphere, seed_maps
from seedmap.analysis import Inputs, Method, maps_of, origin_facts, prepare, read
from seedmap.errors import ImageError, SeedError
from seedmap.explorer.engine import NOT_A_NUMBER, open_source
from seedmap.explorer.engine.peaks import peak_samples, sample_of
from seedmap.seeds import VertexPatch
from seedmap.spatial import Reading, extract
from seedmap.store import write_stored

PATCHES = [
    VertexPatch("patch", "left", 2393, 6.0),
    VertexPatch("one", "right", 7000, 0),
    Sphere("sphere", (-4, -52, 24), 8.0),
]


def check(bold, seeds, method=Method(), **given):
    """Compare maps, patterns of NaN and series with those of `seed_maps`."""
    source = open_source(Inputs(bold, **given), method)
    cleaned = source.clean(source.settings)
    width = method.smoothing_fwhm
    maps = seed_maps(bold, seeds, smoothing_fwhm=width, uncertainty=None, **given)
    assert np.array_equal(cleaned.live.grid.mask, maps.space.mask)
    for row, seed in enumerate(seeds):
        signal = cleaned.live.seed_signal(seed)
        r = cleaned.live.r(signal.unit)
        np.testing.assert_allclose(r, maps.r[row], rtol=0, atol=1e-5)
        steps = cleaned.live.payload(signal.unit)
        assert np.array_equal(steps == NOT_A_NUMBER, np.isnan(maps.r[row]))
        series = cleaned.live.series(signal.unit)
        np.testing.assert_allclose(series, maps.seed_series[:, row], rtol=0, atol=1e-4)
    cleaned.live.close()
    return cleaned


@pytest.mark.parametrize("width", [6.0, None])
def test_maps_of_surfaces_are_those_of_seed_maps(cortex, width):
    check(cortex.func[0], PATCHES, Method(smoothing_fwhm=width), confounds=cortex.confounds[0])


@pytest.mark.filterwarnings("ignore:seed .*lies in the mask:seedmap.errors.SeedmapWarning")
def test_a_mask_on_surfaces_leaves_vertices_outside_for_seeds(cortex, tmp_path):
    names, rng = {}, np.random.default_rng(0)
    for side in ("left", "right"):
        values = (rng.random(10242) < 0.6).astype(np.float32)
        names[side] = tmp_path / f"{side}.func.gii"
        array = nib.gifti.GiftiDataArray(values, intent="NIFTI_INTENT_SHAPE")
        nib.save(nib.gifti.GiftiImage(darrays=[array]), names[side])
    found = check(cortex.func[0], PATCHES, mask_img=names)
    assert found.live.seed_signal(PATCHES[0]).coverage < 1


def test_maps_of_grayordinates_are_those_of_seed_maps(dense):
    """A vertex, and a voxel of the thalamus: equal in both kinds of parts."""
    seeds = [VertexPatch("vertex", "left", 12000, 6.0), Sphere("thalamus", (10, -18, 8), 5.0)]
    check(dense.func[0], seeds, surfaces=dense.surfaces, confounds=dense.confounds[0])


def test_peaks_are_where_regions_were_planted(cortex):
    source = open_source(Inputs(cortex.func[0], confounds=cortex.confounds[0]))
    live = source.clean(source.settings).live
    rows = [vertex for vertex in np.flatnonzero(cortex.labels == 1) if vertex < 10242]
    middle = live.grid.places(np.array(rows)).mean(axis=0)
    seed = VertexPatch("s", "left", rows[0], 8.0)
    r = live.r(live.seed_signal(seed).unit)
    tops = peak_samples(live.grid, r, 0.3, 5)
    assert np.all(np.diff(np.abs(r[tops])) <= 0)
    places = live.grid.places(live.grid.positions[tops])
    assert np.linalg.norm(places - middle, axis=1).min() < 15
    away = np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(len(places), 1)]
    assert away.min() >= 8
    assert [sample_of(live.grid, int(live.grid.positions[top])) for top in tops] == tops.tolist()
    assert sample_of(live.grid, 10**6) is None


def test_a_vertex_that_is_not_there_is_refused(cortex):
    source = open_source(Inputs(cortex.func[0]))
    live = source.clean(source.settings).live
    with pytest.raises(SeedError, match="does not exist"):
        live.seed_signal(VertexPatch("s", "left", 20000))


def test_surfaces_of_unknown_place_are_refused(dense):
    with pytest.raises(ImageError, match="--surface-left"):
        open_source(Inputs(dense.func[0]), Method(smoothing_fwhm=None))


def test_error_bars_are_those_of_seed_maps(cortex):
    source = open_source(Inputs(cortex.func[0], confounds=cortex.confounds[0]))
    found = source.certain_maps(source.settings, PATCHES[0])
    wanted = seed_maps(cortex.func[0], PATCHES[0], confounds=cortex.confounds[0])
    np.testing.assert_allclose(found.values("patch", "z"), wanted.values("patch", "z"), atol=1e-5)


def test_a_stored_run_on_surfaces(cortex, tmp_path):
    """It is explored without its images; the map of a vertex is that of the images."""
    pytest.importorskip("zarr")
    prepared = prepare(Inputs(cortex.func[0], confounds=cortex.confounds[0]), PATCHES, Method())
    smooth = read(prepared)
    plain = extract(Reading(prepared.run, prepared.keep), mask=smooth.grid.mask)
    maps = maps_of(prepared, smooth)
    facts = {**origin_facts(maps), "file": "sub-01_space-fsaverage5_bold.func.gii"}
    path = tmp_path / "run.zarr"
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)
    source = open_source(Inputs(path))
    live = source.clean(source.settings).live
    for row, seed in enumerate(PATCHES):
        r = live.r(live.seed_signal(seed).unit)
        np.testing.assert_allclose(r, maps.r[row], rtol=0, atol=1e-4)
