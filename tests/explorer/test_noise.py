"""z of a run of images comes from the noise that was kept while it was read, and is that of `seed_maps`."""

import warnings

import numpy as np
import pytest

from seedmap import Cleaning, Sphere, seed_maps
from seedmap.analysis.options import Inputs, Method
from seedmap.errors import TooFewFrames
from seedmap.explorer.engine import Superseded, open_source, scores_of
from seedmap.explorer.engine.noise import Noise

SEEDS = [Sphere("PCC", (0, -52, 18)), Sphere("edge", (-40, -60, 48), 8.0)]


def without_reading(source):
    """Let nothing be read again."""

    def refused(*_):
        msg = "the run is read again"
        raise AssertionError(msg)

    object.__setattr__(source, "certain_maps", refused)
    return source


def check(run, cleaning, inputs, smoothing_fwhm=6.0, seeds=SEEDS):
    """Compare z, degrees of freedom and warnings with those of `seed_maps`."""
    method = Method(cleaning=cleaning, smoothing_fwhm=smoothing_fwhm)
    source = without_reading(open_source(Inputs(run, **inputs), method))
    cleaned = source.clean(source.settings)
    for seed in seeds:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            given = {"cleaning": cleaning, "smoothing_fwhm": smoothing_fwhm, **inputs}
            maps = seed_maps(run, [seed], **given)
        found = scores_of(source, cleaned, seed)
        wanted = maps.values(seed.name, "z")
        assert np.array_equal(np.isnan(found.z), np.isnan(wanted))
        near_seed = np.abs(maps.r[0]) > 0.999  # where a rounded r is another z
        np.testing.assert_allclose(found.z[~near_seed], wanted[~near_seed], atol=1e-3, rtol=1e-3)
        dof = np.nanmedian(maps.values(seed.name, "dof"))
        assert found.dof == pytest.approx(dof, rel=1e-3)
        said = [str(one.message) for one in caught]
        assert [note for note in found.notes if note not in said] == []
        assert len(found.notes) >= len([one for one in said if "degrees" in one or "uneven" in one])


@pytest.mark.parametrize(
    "cleaning",
    [Cleaning(), Cleaning(low_pass=None), Cleaning(filter="cosine", low_pass=None)],
    ids=["band", "high", "cosine"],
)
def test_z_of_the_phantom(phantom, options, cleaning):
    check(phantom.func[0], cleaning, options)


def test_z_of_a_real_run(data_folder):
    name = data_folder / "volume" / "sub-01_task-rest"
    run, mask = (
        f"{name}_space-MNI152_res-4_desc-{kind}.nii.gz" for kind in ("preproc_bold", "brain_mask")
    )
    check(run, Cleaning(), {"mask_img": mask})


def test_what_was_done_is_not_done_again(phantom, options, monkeypatch):
    """Who asks for a newer seed does not wait for all of the first, nor begins from the start."""
    monkeypatch.setattr("seedmap.explorer.engine.noise.ROUND", 1)
    source = open_source(Inputs(phantom.func[0], **options))
    cleaned = source.clean(source.settings)
    unit = cleaned.live.seed_signal(SEEDS[0]).unit
    filled, left = [], iter([False, True])
    fill = Noise._fill
    monkeypatch.setattr(Noise, "_fill", lambda *given: (filled.append(given[2]), fill(*given)))
    with pytest.raises(Superseded):
        cleaned.noise.dof(unit, lambda: next(left))
    assert filled == [0]
    cleaned.noise.dof(unit)
    cleaned.noise.dof(unit)
    assert filled == list(range(0, cleaned.live.grid.n_samples, 512))


def test_too_few_frames_are_refused_as_by_run(phantom, options):
    few = {**options, "sample_mask": np.arange(4), "confounds": None}
    cleaning = Cleaning(filter=None, high_pass=None, low_pass=None)
    source = open_source(Inputs(phantom.func[0], **few), Method(cleaning=cleaning))
    cleaned = source.clean(source.settings)
    with pytest.raises(TooFewFrames, match="4 frames are kept"):
        scores_of(source, cleaned, SEEDS[0])


def test_other_error_bars_come_with_whole_maps(phantom, options):
    source = open_source(Inputs(phantom.func[0], **options), Method(uncertainty="naive"))
    cleaned = source.clean(source.settings)
    assert cleaned.noise is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = seed_maps(phantom.func[0], [SEEDS[0]], uncertainty="naive", **options)
    found = scores_of(source, cleaned, SEEDS[0])
    np.testing.assert_allclose(found.z, wanted.values("PCC", "z"), atol=1e-5)
