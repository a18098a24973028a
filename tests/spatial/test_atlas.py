"""One rule for atlases: what is a region, what it is called, and what is refused."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, LabelAxis

from seedmap.errors import ImageError, MissingFile, SeedError, SpaceMismatch
from seedmap.images import Grid, Mesh, Part
from seedmap.seeds import Region
from seedmap.spatial import open_atlas, read_atlas

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
SHAPE = (4, 3, 2)
GRID = Grid.whole(AFFINE, SHAPE)
# Left and right label files in which 1 and 2 are other regions, and "both" has two numbers.
LEFT = {0: "???", 1: "left front", 2: "both", 3: "left back"}
RIGHT = {0: "???", 1: "right front", 5: "both", 3: "left back", 2: "right back"}


def image(values):
    return nib.Nifti1Image(values, AFFINE)


def labelled(dtype=np.int16):
    values = np.zeros(SHAPE, dtype)
    values[0], values[1], values[2, 0, 0] = 3, 31, -1 if np.dtype(dtype).kind != "u" else 0
    return values


def write_annot(path, labels, names):
    """Write labels whose names stand at their numbers."""
    size = max(names) + 1
    table = np.column_stack([np.arange(size) + 10, np.zeros((size, 3), int)])
    named = [names.get(number, f"free{number}") for number in range(size)]
    nib.freesurfer.write_annot(path, labels, table, named, fill_ctab=True)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, ">i4"])
def test_numbers_above_0_are_regions(dtype):
    atlas = read_atlas(image(labelled(dtype)))
    assert atlas.numbers == [3, 31]
    assert [atlas.name(n) for n in (3, 0, -1)] == ["3", "", ""]
    assert atlas.name_at((2, 2, 2)) == "region 31"
    assert atlas.name_at((4, 0, 0)) == atlas.name_at((900, 0, 0)) == ""


def test_what_is_not_finite_is_no_region_and_one_volume_is_enough():
    values = labelled(np.float32)[..., None]
    values[3, 0, 0], values[3, 1, 0], values[3, 2, 0] = np.nan, np.inf, -np.inf
    atlas = read_atlas(image(values))
    assert atlas.labels.shape == SHAPE
    assert atlas.numbers == [3, 31]
    assert not atlas.labels[3].any()


def test_several_volumes_and_fractions_are_refused():
    with pytest.raises(ImageError, match=r"shape \(4, 3, 2, 2\); a 3-D image is wanted"):
        read_atlas(image(np.ones((*SHAPE, 2), np.uint8)))
    with pytest.raises(ImageError, match="whole numbers"):
        Region("r", image(np.full(SHAPE, 1.5, np.float32)), 1).weights(GRID)


def test_names_are_looked_for_where_they_can_be(tmp_path):
    path, table = tmp_path / "atlas.nii.gz", tmp_path / "other.tsv"
    nib.save(image(labelled()), path)
    assert read_atlas(path).names == {}
    with pytest.raises(MissingFile, match=r"atlas.tsv is not there; to choose a region by name"):
        read_atlas(path, named=True)
    with pytest.raises(MissingFile, match="the atlas names no region"):
        Region("r", image(labelled()), "left").weights(GRID)
    with pytest.raises(MissingFile, match=r"other.tsv: this look-up table is not there"):
        open_atlas(path, GRID, table)
    table.write_text("index\tname\n3\t front \n31\tback\n")
    atlas = open_atlas(path, GRID, table)
    assert atlas.names == {3: "front", 31: "back"}
    assert (atlas.numbers_of("back"), atlas.numbers_of("side")) == ([31], [])
    assert atlas.matching("*a*") == atlas.matching("31") == [31]
    assert open_atlas(image(labelled()), GRID).source == "the atlas"


def test_an_atlas_that_was_read_serves_many_seeds(tmp_path):
    path = tmp_path / "atlas.nii.gz"
    nib.save(image(labelled()), path)
    atlas = read_atlas(path)
    seed = Region("r", atlas, 31)
    assert np.array_equal(seed.weights(GRID).voxels, np.flatnonzero(labelled() == 31))
    assert seed.source == str(path)
    with pytest.raises(
        SeedError, match=r"atlas.nii.gz: -1 is label -1, the background and no region"
    ):
        Region("r", atlas, -1).weights(GRID)


@pytest.fixture
def pair(tmp_path):
    """Two small surfaces and their label files."""
    rows = {"left": [1, 2, 3, 0], "right": [1, 5, 3, 2]}
    for side, names in (("left", LEFT), ("right", RIGHT)):
        write_annot(tmp_path / f"{side[0]}h.annot", np.array(rows[side]), names)
    space = Mesh.whole(tuple(Part(side, "surface", np.arange(4), 4) for side in rows))
    return space, {side: tmp_path / f"{side[0]}h.annot" for side in rows}


def test_hemispheres_that_use_one_number_twice_keep_their_names(pair):
    space, files = pair
    atlas = open_atlas(files, space)
    called = [atlas.name(int(label)) for label in atlas.labels]
    left = ["left front", "both", "left back", ""]
    assert called == [*left, "right front", "both", "left back", "right back"]
    for name in {*called} - {""}:
        places = Region("r", files, name).weights(space).voxels
        assert places.tolist() == [at for at, one in enumerate(called) if one == name]
    assert atlas.source == f"{files['left']}, {files['right']}"


def test_atlas_and_run_must_be_of_one_kind(pair, tmp_path):
    space, files = pair
    with pytest.raises(SpaceMismatch, match="the run is a volume"):
        Region("r", open_atlas(files, space), "both").weights(GRID)
    with pytest.raises(SpaceMismatch, match="the run is surfaces"):
        Region("r", read_atlas(image(labelled())), 3).weights(space)
    with pytest.raises(MissingFile, match=r"no.dlabel.nii: this CIFTI map is not there"):
        read_atlas(tmp_path / "no.dlabel.nii")


@pytest.mark.parametrize(("label", "names"), [(0, {}), ("none", {0: "none", 3: "front"})])
def test_the_background_is_no_region(label, names):
    atlas = replace(read_atlas(image(labelled())), names=names)
    with pytest.raises(
        SeedError, match="is label 0, the background and no region; give one above 0"
    ):
        Region("r", atlas, label).weights(GRID)


def test_a_name_of_two_regions_is_refused_with_their_numbers(tmp_path):
    path = tmp_path / "atlas.nii.gz"
    nib.save(image(labelled()), path)
    table = tmp_path / "atlas.tsv"
    table.write_text("index\tname\n3\tMotor\n31\tMotor\n7\tback\n8\tback\n")
    with pytest.raises(SeedError, match="'Motor' is the name of 2 regions, 3, 31; give one number"):
        Region("r", path, "Motor").weights(GRID)
    table.write_text("index\tname\n3\tMotor\n7\tMotor\n31\tback\n")  # 7 is not in the image
    voxels = Region("r", path, "Motor").weights(GRID).voxels
    np.testing.assert_array_equal(voxels, np.flatnonzero(labelled() == 3))
    table.write_text("index\tname\n3\tMotor\n3\tVisual\n")
    with pytest.raises(ImageError, match=r"atlas.tsv: index 3 stands for 'Motor' and 'Visual'"):
        Region("r", path, "Motor").weights(GRID)


def test_a_name_twice_in_the_table_of_a_file_is_refused(tmp_path):
    """In annot, GIFTI and dlabel files, also where the other hemisphere has the name once."""
    space = Mesh.whole(tuple(Part(side, "surface", np.arange(4), 4) for side in ("left", "right")))
    once, twice = {0: "???", 1: "Motor"}, {0: "???", 1: "Motor", 2: "Motor"}
    write_annot(tmp_path / "lh.annot", np.array([1, 1, 0, 0]), once)
    write_annot(tmp_path / "rh.annot", np.array([1, 2, 0, 0]), twice)
    table = nib.gifti.GiftiLabelTable()
    for key, name in twice.items():
        label = nib.gifti.GiftiLabel(key)
        label.label = name
        table.labels.append(label)
    array = nib.gifti.GiftiDataArray(np.array([1, 2, 0, 0], "i4"), intent="NIFTI_INTENT_LABEL")
    nib.save(nib.GiftiImage(darrays=[array], labeltable=table), tmp_path / "a.R.label.gii")
    axis = BrainModelAxis.from_surface(np.arange(4), 4, "cortex_right")
    labels = LabelAxis(["L"], {key: (name, (1, 0, 0, 1)) for key, name in twice.items()})
    values = np.array([[1, 2, 0, 0]], "f4")
    nib.save(nib.Cifti2Image(values, (labels, axis)), tmp_path / "a.dlabel.nii")
    for atlas in (
        tmp_path / "rh.annot",
        tmp_path / "a.R.label.gii",
        tmp_path / "a.dlabel.nii",
        {"left": tmp_path / "lh.annot", "right": tmp_path / "rh.annot"},
    ):
        with pytest.raises(SeedError, match=r"'Motor' is the name of \d regions, 1, "):
            Region("r", atlas, "Motor").weights(space)


def test_a_region_of_both_hemispheres_says_so(pair):
    space, files = pair
    assert Region("r", files, "both").weights(space).note == "in left and right"
    assert Region("r", files, "left front").weights(space).note == ""
