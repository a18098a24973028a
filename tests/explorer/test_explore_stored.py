"""A stored run is explored as it is: its maps are those of the store, and no image is read."""

import numpy as np
import pytest

from seedmap import Cleaning, Sphere
from seedmap.analysis.options import Inputs, Method
from seedmap.analysis.pipeline import maps_of
from seedmap.analysis.prepare import prepare, read
from seedmap.analysis.stored import origin_facts, stored_maps
from seedmap.bids import in_mni_space
from seedmap.errors import ImageError, OptionError, SeedError
from seedmap.explorer import begin_session
from seedmap.explorer.engine import NOT_A_NUMBER, Superseded, find_peaks, open_source
from seedmap.spatial import Reading, extract
from seedmap.store import open_stored, write_stored

pytest.importorskip("zarr")

SEEDS = [
    Sphere("PCC", (0, -52, 18)),
    Sphere("mPFC", (0, 52, -6), 10),
    Sphere("one", (20, 0, 40), 0),
]


def write(path, phantom, options, facts=None, method=Method()):
    """Store a run as studies do."""
    prepared = prepare(Inputs(phantom.func[0], **options), SEEDS, method)
    smooth = read(prepared)
    plain = extract(Reading(prepared.run, prepared.keep), mask=prepared.mask)
    if facts is None:
        facts = {**origin_facts(maps_of(prepared, smooth)), "file": phantom.func[0].name}
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)
    return path


@pytest.fixture(scope="module")
def store(phantom, options, tmp_path_factory):
    """The phantom, stored."""
    return write(tmp_path_factory.mktemp("store") / "run.zarr", phantom, options)


@pytest.fixture(scope="module")
def live(store):
    """The phantom, stored and brought into memory."""
    source = open_source(Inputs(store))
    with_progress = []
    live = source.clean(
        source.settings, lambda done, total: with_progress.append(done / total)
    ).live
    assert with_progress[-1] == 1
    yield live
    live.close()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_maps_are_those_of_the_store(store, live, seed):
    wanted = open_stored(store).maps([seed.weights(live.grid)])
    signal = live.seed_signal(seed)
    r = live.r(signal.unit)
    np.testing.assert_allclose(r, wanted.r[0], rtol=0, atol=1e-6)
    assert np.array_equal(live.payload(signal.unit) == NOT_A_NUMBER, np.isnan(wanted.r[0]))
    series = wanted.seed_series[:, 0] - wanted.seed_series[:, 0].mean()
    np.testing.assert_allclose(live.series(signal.unit), series / series.std(ddof=1), atol=1e-4)


def test_maps_are_those_of_the_images(store, live, phantom, options):
    source = open_source(Inputs(phantom.func[0], **options))
    other = source.clean(source.settings).live
    inside = Sphere("inside", (20, 0, 40), 0)  # the store has nothing outside the mask
    r, wanted = (one.r(one.seed_signal(inside).unit) for one in (live, other))
    np.testing.assert_allclose(r, wanted, rtol=0, atol=2e-5)
    found, expected = (find_peaks(a.grid, b, 0.4, 3) for a, b in ((live, r), (other, wanted)))
    assert [place for place, _ in found] == [place for place, _ in expected]
    other.close()


def test_nothing_can_be_switched(store):
    source = open_source(Inputs(store))
    assert source.fixed
    assert source.groups == {}
    assert len(source.columns(source.settings)) > 0
    other = source.settings.switched(smoothing_fwhm=3.0, high_pass=None, low_pass=None, groups=())
    with pytest.raises(OptionError, match="stored cleaned"):
        source.clean(other)


def test_what_was_done_may_be_said_again(store, phantom, options, tmp_path):
    same = open_source(Inputs(store), Method(cleaning=Cleaning(), smoothing_fwhm=6.0))
    assert same.settings.method.smoothing_fwhm == 6
    wide = Cleaning(low_pass=None)
    method = Method(cleaning=wide, smoothing_fwhm=None)
    other = write(tmp_path / "a.zarr", phantom, options, method=method)
    assert open_source(Inputs(other)).settings.method.smoothing_fwhm is None
    again = open_source(Inputs(other), Method(cleaning=wide))
    assert again.settings.method.cleaning.low_pass is None


@pytest.mark.parametrize(
    ("inputs", "method"),
    [
        ({"confounds": np.zeros((100, 1))}, {}),
        ({"sample_mask": np.arange(90)}, {}),
        ({"mask_img": "background"}, {}),
        ({"t_r": 3.0}, {}),
        ({}, {"cleaning": Cleaning(low_pass=0.08)}),
        ({}, {"smoothing_fwhm": 4.0}),
        ({}, {"uncertainty": "xdf"}),
    ],
    ids=["confounds", "sample_mask", "mask_img", "t_r", "cleaning", "smoothing", "uncertainty"],
)
def test_what_would_clean_otherwise_is_refused(store, inputs, method):
    given = Inputs(store, **inputs)
    with pytest.raises(OptionError):
        open_source(given, Method(**method))


def test_error_bars_are_those_of_the_store(store):
    source = open_source(Inputs(store))
    maps, wanted = source.certain_maps(source.settings, SEEDS[0]), stored_maps(store, SEEDS[0])
    assert np.array_equal(maps.values("PCC", "z"), wanted.values("PCC", "z"), equal_nan=True)
    assert np.isfinite(maps.values("PCC", "z")).mean() > 0.9
    plain = open_source(Inputs(store), Method(uncertainty=None))
    assert plain.certain_maps(plain.settings, SEEDS[0]).stats == ("r", "fisherz")

    def stop(done, total):
        raise Superseded

    with pytest.raises(Superseded):
        source.certain_maps(source.settings, SEEDS[0], stop)


def test_a_session_shows_it_and_saves_its_maps(store, phantom, tmp_path):
    source = open_source(Inputs(store))
    assert in_mni_space(source.run.source, source.run.codes)
    assert source.run.timing.t_r == 2.0
    session = begin_session(source, out=tmp_path / "out", anatomy=phantom.masks[0])
    assert session.look(SEEDS[0]) == 1
    names = session.save(SEEDS[0])
    assert any(name.endswith("stat-z_statmap.nii.gz") for name in names)
    session.close()
    with pytest.raises(ImageError, match="not stored"):
        source.run.stream()


def test_a_seed_outside_the_mask_is_refused(live):
    with pytest.raises(SeedError, match="lies in the mask"):
        live.seed_signal(Sphere("s", (80, 80, 80), 4.0))


def test_a_store_that_does_not_say_how_it_was_cleaned_is_refused(phantom, options, tmp_path):
    path = write(tmp_path / "a.zarr", phantom, options, facts={"file": "run.nii.gz"})
    with pytest.raises(ImageError, match="does not state"):
        open_source(Inputs(path))
