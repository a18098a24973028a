"""The store: the same numbers as from the images, in little space."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap import Cleaning, Sphere
from seedmap.analysis.options import Inputs, Method
from seedmap.analysis.pipeline import maps_of
from seedmap.analysis.prepare import prepare, read
from seedmap.confounds import read_confounds
from seedmap.connectivity import infer
from seedmap.datasets import make_phantom
from seedmap.denoising import named
from seedmap.errors import ImageError, MissingFile, SeedError
from seedmap.spatial import Reading, SeedWeights, extract
from seedmap.store import open_stored, quick_z, write_stored

zarr = pytest.importorskip("zarr")

SEEDS = [
    Sphere("PCC", (0, -52, 18)),
    Sphere("mPFC", (0, 52, -6), 10),
    Sphere("one", (20, 0, 40), 0),
]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=6, layout="bids")


def columns_of(phantom, strategy):
    table = read_confounds(phantom.confounds[0])
    return None if strategy is None else named(strategy).choose(table).table


CLEANINGS = {
    "band": (Cleaning(), "36P", False),
    "censored": (Cleaning(), "6P", True),
    "high-pass": (Cleaning(low_pass=None), "6P", False),
    "cosine": (Cleaning(filter="cosine", high_pass=0.008, low_pass=None), "9P", True),
    "nothing": (Cleaning(detrend=False, filter=None), None, False),
}


@pytest.fixture(scope="module", params=CLEANINGS)
def both(request, phantom, tmp_path_factory):
    """One run's maps from its image, and the run stored."""
    cleaning, columns, censored = CLEANINGS[request.param]
    inputs = Inputs(
        phantom.func[0],
        confounds=columns_of(phantom, columns),
        sample_mask=phantom.truth.sample_masks[0] if censored else None,
        mask_img=phantom.masks[0],
    )
    prepared = prepare(inputs, SEEDS, Method(cleaning=cleaning))
    smooth = read(prepared)
    plain = extract(Reading(prepared.run, prepared.keep), mask=prepared.mask)
    path = tmp_path_factory.mktemp("store") / "run.zarr"
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, {"a": [1]})
    return maps_of(prepared, smooth), open_stored(path)


def weights_of(stored):
    return [seed.weights(stored.space) for seed in SEEDS]


def test_correlations_and_scores_are_those_from_the_image(both):
    maps, stored = both
    found = stored.maps(weights_of(stored))
    np.testing.assert_allclose(found.r, maps.r, atol=1e-5)
    z = np.stack([maps.values(name, "z") for name in maps.seeds])
    assert (np.isnan(found.z) == np.isnan(z)).mean() > 0.999
    assert np.nanmax(np.abs(found.z - z)) < 1e-3


def test_seed_series_are_those_from_the_image(both):
    maps, stored = both
    series = stored.maps(weights_of(stored)).seed_series
    series = series - series.mean(axis=0)
    series /= series.std(axis=0, ddof=1)
    np.testing.assert_allclose(series, maps.seed_series, atol=2e-3)


# What a stored run may take at most, as a share of its series: 6 mm voxels are few, and 168 frames.
SHARE = {"band": 0.7, "censored": 0.9, "high-pass": 1.32, "cosine": 1.28, "nothing": 1.38}


def test_a_stored_run_takes_little_more_than_its_series(both, request):
    maps, stored = both
    (kind,) = [kind for kind in CLEANINGS if f"[{kind}]" in request.node.name]
    series = 4 * maps.provenance.kept * maps.space.n_samples
    assert stored.size < SHARE[kind] * series


def test_what_the_writer_said_comes_back(both):
    _, stored = both
    assert json.loads(json.dumps(stored.facts)) == {"a": [1]}
    assert stored.t_r == 2.0


def test_a_seed_that_the_store_does_not_hold_is_refused(both):
    _, stored = both
    outside = np.flatnonzero(~stored.space.mask.ravel())[:3]
    with pytest.raises(SeedError, match="no voxel in the mask"):
        stored.maps([SeedWeights(outside, np.ones(3) / 3)])
    inside = np.flatnonzero(stored.space.mask.ravel())[100]
    half = SeedWeights(np.array([outside[0], inside]), np.array([0.5, 0.5]))
    assert stored.maps([half]).coverage == pytest.approx([0.5])


def test_what_is_stored_is_known_by_its_head(both):
    _, stored = both
    first = zarr.open_group(stored.path, mode="r")
    assert len(first.attrs["seedmap"]["content"]) == 32
    assert first["smooth"].shape[0] == stored.space.n_samples


def test_no_flipped_bit_changes_a_map(both, tmp_path, request):
    """Wherever it is: the same maps, or one line that names the stored run."""
    if "band" not in request.node.name:
        pytest.skip("one run is enough")
    _, stored = both
    good = stored.maps(weights_of(stored))
    copy = tmp_path / "copy.zarr"
    shutil.copytree(stored.path, copy)
    chance, messages = np.random.default_rng(0), []
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    for path in files * 3:
        data = bytearray(path.read_bytes())
        if not data:
            continue
        data[chance.integers(len(data))] ^= 1 << int(chance.integers(8))
        whole = path.read_bytes()
        path.write_bytes(data)
        try:
            found = open_stored(copy).maps(weights_of(stored))
        except ImageError as error:
            messages.append(str(error))
        else:
            np.testing.assert_array_equal(found.r, good.r)
            np.testing.assert_array_equal(found.z, good.z)
            np.testing.assert_array_equal(found.seed_series, good.seed_series)
        path.write_bytes(whole)
    assert len(messages) > len(files)
    assert all(text.startswith(str(copy)) and "\n" not in text for text in messages)
    open_stored(copy).check()


def test_what_is_no_stored_run_is_refused(tmp_path):
    with pytest.raises(MissingFile, match="is not there"):
        open_stored(tmp_path / "none.zarr")
    group = zarr.open_group(tmp_path / "other.zarr", mode="w")
    with pytest.raises(ImageError, match="not a stored run"):
        open_stored(tmp_path / "other.zarr")
    group.attrs.update({"seedmap": {"format": 1}})
    with pytest.raises(ImageError, match="stored in format 1, 4 is wanted"):
        open_stored(tmp_path / "other.zarr")


@given(st.floats(-0.999, 0.999), st.floats(3, 1000))
def test_the_quick_score_is_the_exact_one(r, dof):
    exact = infer(r, dof).z
    assert abs(quick_z(r, dof) - exact) < 1e-3 + 1e-4 * abs(exact)


def test_the_quick_score_of_too_few_degrees_is_missing():
    assert np.isnan(quick_z([0.5, np.nan], [2.9, 10])).all()
