"""Maps in CIFTI files are matched to a run by structure and place, not by count."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.cifti2 import BrainModelAxis, LabelAxis, ParcelsAxis, ScalarAxis, SeriesAxis

import seedmap as sm
from seedmap.errors import SeedmapWarning, SpaceMismatch
from seedmap.images import load_on_parts, open_run
from seedmap.spatial import open_atlas

AFFINE = np.array([[2.0, 0, 0, -10], [0, 2, 0, -12], [0, 0, 2, -8], [0, 0, 0, 1]])
SHAPE = (11, 13, 9)
LABELS = {0: ("???", (0, 0, 0, 0)), 1: ("front", (1, 0, 0, 1)), 2: ("back", (0, 1, 0, 1))}


def models(*, flipped=False, drop=()):
    """Two surfaces with a medial wall, and two boxes of voxels, RAS or LAS."""
    affine, boxes = AFFINE.copy(), {"thalamus_left": (1, 5), "thalamus_right": (6, 10)}
    axes = {
        f"cortex_{side}": BrainModelAxis.from_surface(np.arange(2, 20), 24, f"cortex_{side}")
        for side in ("left", "right")
    }
    if flipped:
        affine[0] = [-2, 0, 0, 10]
    for name, (low, high) in boxes.items():
        box = np.zeros(SHAPE, dtype=bool)
        box[low:high, 3:7, 2:6] = True
        box = box[::-1] if flipped else box
        axes[name] = BrainModelAxis.from_mask(box, affine=affine, name=name)
    kept = [axis for name, axis in axes.items() if name not in drop]
    return sum(kept[1:], kept[0])


def shuffled(axis, rng):
    """The same places, the structures and what is in them in another order."""
    parts = [np.arange(len(axis))[where] for _, where, _ in axis.iter_structures()]
    rng.shuffle(parts)
    return axis[np.concatenate([rng.permutation(part) for part in parts])]


def value_at(axis):
    """A value that is a function of structure and place: what a map is."""
    mm = nib.affines.apply_affine(axis.affine, axis.voxel)
    place = np.where(axis.vertex >= 0, axis.vertex, mm @ [1.0, 31.0, 977.0])
    structures = sorted(set(axis.name))
    return 1e5 * np.array([structures.index(name) + 1 for name in axis.name]) + place


def saved(path, values, axis, first):
    image = nib.Cifti2Image(np.atleast_2d(values).astype("f4"), (first, axis))
    nib.save(image, path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    axis = models()
    series = np.random.default_rng(0).standard_normal((40, len(axis)))
    path = tmp_path_factory.mktemp("places") / "run.dtseries.nii"
    return saved(path, series, axis, SeriesAxis(0, 2, 40))


@given(seed=st.integers(0, 2**16), flipped=st.booleans())
def test_the_order_of_grayordinates_does_not_matter(run, tmp_path_factory, seed, flipped):
    axis = shuffled(models(flipped=flipped), np.random.default_rng(seed))
    path = tmp_path_factory.mktemp("order") / "map.dscalar.nii"
    saved(path, value_at(axis), axis, ScalarAxis(["map"]))

    values, _ = load_on_parts(path, open_run(run).space, "map")

    np.testing.assert_array_equal(values, value_at(models()).astype("f4"))


@pytest.mark.parametrize("flipped", [False, True])
def test_seeds_masks_and_atlases_are_the_same_from_any_order(run, tmp_path, flipped):
    other = shuffled(models(flipped=flipped), np.random.default_rng(3))
    found, numbers = [], []
    for name, axis in {"same": models(), "other": other}.items():
        value = value_at(axis)
        labels = np.where(value % 1e5 > 8, 1 + (value > 2e5), 0)
        first = LabelAxis(["L"], LABELS)
        atlas = saved(tmp_path / f"{name}.dlabel.nii", labels, axis, first)
        weights = saved(tmp_path / f"{name}.dscalar.nii", value % 1e5 > 8, axis, ScalarAxis(["m"]))
        found.append(
            sm.seed_maps(
                run,
                [sm.Region("R", atlas, "front"), sm.MaskSeed("M", weights)],
                mask_img=weights,
                cleaning=sm.Cleaning(filter=None),
                smoothing_fwhm=None,
            )
        )
        numbers.append(open_atlas(str(atlas), open_run(run).space).labels)
    same, other = found
    np.testing.assert_array_equal(same.space.mask, other.space.mask)
    np.testing.assert_array_equal(*numbers)
    for seed in ("R", "M"):
        np.testing.assert_allclose(same.values(seed), other.values(seed), atol=1e-6)


def test_what_a_map_lacks_is_zero(run, tmp_path):
    axis = models(drop=("cortex_right", "thalamus_left"))
    path = saved(tmp_path / "m.dscalar.nii", np.ones(len(axis)), axis, ScalarAxis(["m"]))

    space = open_run(run).space
    values, _ = load_on_parts(path, space, "map")

    assert {name: values[span].tolist() for name, span in space.slices.items()} == {
        "left": [1] * 18,
        "right": [0] * 18,
        "THALAMUS_LEFT": [0] * 64,
        "THALAMUS_RIGHT": [1] * 64,
    }


def test_another_mesh_grid_or_structure_is_refused_by_name(run, tmp_path):
    space = open_run(run).space
    mesh = BrainModelAxis.from_surface(np.arange(96), 96, "cortex_left")
    box = np.ones((4, 4, 4), dtype=bool)
    coarse = BrainModelAxis.from_mask(box, affine=np.diag([1.6, 1.6, 1.6, 1]), name="thalamus_left")
    half = AFFINE.copy()
    half[:3, 3] += 1
    moved = BrainModelAxis.from_mask(box, affine=half, name="thalamus_left")
    brainstem = BrainModelAxis.from_mask(box, affine=AFFINE, name="brain_stem")
    for axis, reason in (
        (mesh, "its left surface has 96 vertices, the run's 24"),
        (coarse, "its voxels of THALAMUS_LEFT lie on another grid"),
        (moved, "its voxels of THALAMUS_LEFT lie on another grid"),
        (brainstem, r"no place of it \(BRAIN_STEM\) is one of the run's \(left, right"),
    ):
        path = saved(tmp_path / "m.dscalar.nii", np.ones(len(axis)), axis, ScalarAxis(["m"]))
        with pytest.raises(SpaceMismatch, match=rf"m\.dscalar\.nii: {reason}"):
            load_on_parts(path, space, "map")


def test_parcels_are_matched_by_name(tmp_path):
    dense = models()
    spans = {"a": slice(0, 5), "b": slice(5, 15), "c": slice(15, 18)}
    parcels = ParcelsAxis.from_brain_models([(name, dense[span]) for name, span in spans.items()])
    series = np.random.default_rng(0).standard_normal((30, 3))
    run = saved(tmp_path / "run.ptseries.nii", series, parcels, SeriesAxis(0, 2, 30))
    path = saved(
        tmp_path / "m.pscalar.nii", [3, 1, 2], parcels[np.array([2, 0, 1])], ScalarAxis(["m"])
    )

    values, _ = load_on_parts(path, open_run(run).space, "map")

    assert values.tolist() == [1, 2, 3]


def test_an_image_in_memory_is_matched_too_and_further_maps_are_named(run, tmp_path):
    axis = shuffled(models(), np.random.default_rng(5))
    rows = np.stack([value_at(axis), np.zeros(len(axis))])
    image = nib.Cifti2Image(rows.astype("f4"), (ScalarAxis(["one", "two"]), axis))

    with pytest.warns(SeedmapWarning, match="holds 2 maps and the first is used"):
        values, _ = load_on_parts(image, open_run(run).space, "map")

    np.testing.assert_array_equal(values, value_at(models()).astype("f4"))
