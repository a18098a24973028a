"""Seeds are read as typed, sample where they say, and complain in one line."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap.errors import ImageError, MissingFile, SeedError
from seedmap.images import Grid
from seedmap.seeds import MaskSeed, Region, Seed, SeriesSeed, Sphere, parse_seed
from seedmap.testing import SeedTests

AFFINE = np.array([[4.0, 0, 0, -20], [0, 4, 0, -24], [0, 0, 4, -16], [0, 0, 0, 1]])
SHAPE = (10, 12, 8)
GRID = Grid.whole(AFFINE, SHAPE)
FINE = np.array([[2.0, 0, 0, -21.5], [0, 2, 0, -25.5], [0, 0, 2, -17.5], [0, 0, 0, 1]])


def image(values, affine=AFFINE):
    values = np.array(values)
    values.setflags(write=False)
    return nib.Nifti1Image(values, affine)


def blob(value=1, dtype=np.uint8, shape=SHAPE):
    values = np.zeros(shape, dtype)
    values[3:5, 4:6, 2:4] = value
    return values


def weighted():
    values = blob(dtype=np.float32)
    values[3, 4, 2:4] = 0.5, 0.25
    return values


def atlas():
    values = np.zeros(SHAPE, np.int16)
    values[:5], values[5:], values[:, :2] = 3, 31, 0
    return values


class TestSphereSeed(SeedTests):
    def make(self):
        return Sphere("PCC", (0, -4, 4), 8)

    def space(self):
        return GRID


class TestVoxelSeed(TestSphereSeed):
    def make(self):
        return Sphere("voxel", (1, -5, 3), None)


class TestMaskSeed(TestSphereSeed):
    def make(self):
        return MaskSeed("lesion", image(blob()))


class TestWeightedSeed(TestSphereSeed):
    def make(self):
        return MaskSeed("weighted", image(weighted()))


class TestFineMaskSeed(TestSphereSeed):
    def make(self):
        return MaskSeed("fine", image(blob(shape=(20, 24, 16)), FINE))


class TestFineWeightedSeed(TestSphereSeed):
    def make(self):
        values = np.random.default_rng(0).random((20, 24, 16)).astype(np.float32)
        return MaskSeed("fine", image(np.where(blob(shape=values.shape), values, 0), FINE))


class TestRegionSeed(TestSphereSeed):
    def make(self):
        return Region("PCC", image(atlas()), 31)


class TestSpheres:
    def test_it_says_what_it_is(self):
        assert (
            Sphere("a", (0, -52.5, 18), 8).definition
            == "sphere of 8 mm radius at (0, -52.5, 18) mm"
        )
        assert Sphere("a", (1, 2, 3), None).definition == "voxel nearest to (1, 2, 3) mm"
        assert Sphere("a", (1, 2, 3), 0).definition == "voxel nearest to (1, 2, 3) mm"
        assert Sphere("a", (1, 2, 3)).source == ""

    def test_centres_come_in_any_form(self):
        wanted = Sphere("a", (1.0, 2.0, 3.0))
        assert Sphere("a", np.array([1, 2, 3], np.int16)) == wanted
        assert Sphere("a", [1, 2, 3]) == wanted
        assert hash(Sphere("a", [1, 2, 3])) == hash(wanted)
        assert wanted.radius == 8

    @pytest.mark.parametrize("center", [(1, 2), (1, 2, 3, 4), (1, 2, np.nan), (np.inf, 0, 0), 5])
    def test_a_centre_that_is_no_place_is_refused(self, center):
        with pytest.raises(SeedError, match=r"seed 'a': the centre .* is not three finite numbers"):
            Sphere("a", center)

    @pytest.mark.parametrize("radius", [-1, np.nan, np.inf])
    def test_a_radius_that_makes_no_sense_is_refused(self, radius):
        with pytest.raises(SeedError, match=r"seed 'a': radius=.* mm; give 0 or more"):
            Sphere("a", (1, 2, 3), radius)

    @pytest.mark.parametrize("name", ["", " ", "-_", None, 7])
    def test_a_seed_has_a_name(self, name):
        for make in (
            lambda: Sphere(name, (1, 2, 3)),
            lambda: MaskSeed(name, "m.nii"),
            lambda: Region(name, "a.nii", 1),
            lambda: SeriesSeed(name, [1, 2]),
        ):
            with pytest.raises(SeedError, match=r"a seed is called .*; give it a name"):
                make()

    def test_outside_the_image_is_reported(self):
        words = r"seed 'far': sphere .* outside the image, which spans -20 to 16, -24 to 20, -16 to 12 mm"
        with pytest.raises(SeedError, match=words) as caught:
            Sphere("far", (0, 90, 0), 6).weights(GRID)
        assert "\n" not in str(caught.value)

    def test_every_voxel_counts_the_same(self):
        found = Sphere("a", (0, 0, 0), 4).weights(GRID)
        assert found.voxels.size == 7
        np.testing.assert_allclose(found.weights, 1 / 7)


class TestMasks:
    def test_the_voxels_of_a_mask_count_the_same(self):
        for dtype in (np.uint8, np.int16, np.float32, np.float64):
            for value in (1, 7):
                found = MaskSeed("m", image(blob(value, dtype))).weights(GRID)
                assert np.array_equal(found.voxels, np.flatnonzero(blob()))
                np.testing.assert_allclose(found.weights, 1 / 8)

    def test_weights_weigh(self):
        found = MaskSeed("m", image(weighted())).weights(GRID)
        values = weighted().ravel()
        assert np.array_equal(found.voxels, np.flatnonzero(values))
        np.testing.assert_allclose(found.weights, values[found.voxels] / values.sum())

    def test_what_is_not_finite_counts_as_nothing(self):
        values = weighted()
        values[0, 0, 0], values[9, 9, 7] = np.nan, np.inf
        assert np.array_equal(
            MaskSeed("m", image(values)).weights(GRID).voxels, np.flatnonzero(weighted())
        )

    def test_a_mask_of_another_grid_is_brought_over(self):
        fine = np.zeros((20, 24, 16), np.uint8)
        fine[6:10, 8:12, 4:8] = 1  # the same block, in voxels of half the size
        found = MaskSeed("m", image(fine, FINE)).weights(GRID)
        assert np.array_equal(found.voxels, np.flatnonzero(blob()))

    def test_files_are_read_and_named(self, tmp_path):
        path = tmp_path / "lesion.nii.gz"
        nib.save(image(blob()), path)
        for given_path in (path, str(path), nib.load(path)):
            seed = MaskSeed("m", given_path)
            assert seed.source == str(path)
            assert seed.definition == f"mask {path}"
            assert seed.weights(GRID).voxels.size == 8
        assert MaskSeed("m", image(blob())).definition == "mask in memory"

    def test_a_fourth_axis_of_one_is_dropped(self):
        assert MaskSeed("m", image(blob()[..., None])).weights(GRID).voxels.size == 8

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (blob(-1, np.int16), "has negative values; weights of 0 or more"),
            (atlas(), r"holds 2 whole numbers like an atlas; choose one region, as in m=.*#3"),
            (np.zeros(SHAPE, np.uint8), "seed 'm': mask in memory is empty"),
            (np.full(SHAPE, np.nan), "is empty"),
        ],
    )
    def test_an_image_that_is_no_mask_is_refused(self, values, words):
        with pytest.raises(SeedError, match=words) as caught:
            MaskSeed("m", image(values)).weights(GRID)
        assert "\n" not in str(caught.value)

    def test_more_than_one_volume_is_refused(self):
        with pytest.raises(ImageError, match=r"shape \(10, 12, 8, 5\); a 3-D image is wanted"):
            MaskSeed("m", image(np.zeros((*SHAPE, 5), np.uint8))).weights(GRID)

    def test_an_image_elsewhere_is_refused(self):
        far = AFFINE.copy()
        far[:3, 3] = 500
        with pytest.raises(SeedError, match=r"lies outside the run; is it in the space"):
            MaskSeed("m", image(blob(), far)).weights(GRID)

    def test_a_file_that_is_not_there_is_reported(self, tmp_path):
        with pytest.raises(MissingFile, match=r"no.nii: this image of seed 'm' is not there"):
            MaskSeed("m", tmp_path / "no.nii").weights(GRID)
        (tmp_path / "text.nii").write_text("text")
        with pytest.raises(ImageError, match=r"text.nii: this image of seed 'm' is not an image"):
            MaskSeed("m", str(tmp_path / "text.nii")).weights(GRID)

    def test_big_endian_files_are_read(self, tmp_path):
        header = nib.Nifti1Header(endianness=">")
        for values, affine in (
            (blob(1, np.int16), AFFINE),
            (blob(1, np.int16, (20, 24, 16)), FINE),
        ):
            big = nib.Nifti1Image(values, affine, header)
            nib.save(big, tmp_path / "big.nii.gz")
            found = MaskSeed("m", tmp_path / "big.nii.gz").weights(GRID)
            plain = MaskSeed("m", image(values, affine)).weights(GRID)
            assert np.array_equal(found.voxels, plain.voxels)


class TestRegions:
    @pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8])
    def test_a_region_is_its_voxels(self, dtype):
        seed = Region("r", image(atlas().astype(dtype)), 31)
        assert np.array_equal(seed.weights(GRID).voxels, np.flatnonzero(atlas() == 31))
        assert seed.definition == "region 31 of an atlas in memory"
        assert Region("r", image(atlas()), np.int64(3)).weights(GRID).voxels[0] == 16

    def test_a_number_that_is_not_there_is_reported(self):
        with pytest.raises(
            SeedError, match=r"the atlas has no region 7; it holds 2 regions: 3, 31"
        ):
            Region("r", image(atlas()), 7).weights(GRID)

    def test_many_regions_are_counted(self):
        values = np.arange(960, dtype=np.int16).reshape(SHAPE)
        with pytest.raises(SeedError, match="it holds 959 regions: 1, 2, 3, 4, 5 and 954 more"):
            Region("r", image(values), 4000).weights(GRID)

    @pytest.fixture
    def saved(self, tmp_path):
        path = tmp_path / "atlas.nii.gz"
        nib.save(image(atlas()), path)
        (tmp_path / "atlas.tsv").write_text(
            "index\tname\tcolour\n3\tleft half\tred\n31\tright half\tblue\n"
        )
        return path

    def test_a_name_is_looked_up_beside_the_atlas(self, saved):
        seed = Region("r", saved, "right half")
        assert np.array_equal(seed.weights(GRID).voxels, np.flatnonzero(atlas() == 31))
        assert seed.source == str(saved)
        assert seed.definition == f"region right half of {saved}"

    def test_a_name_is_looked_up_where_it_is_said(self, saved, tmp_path):
        other = tmp_path / "names.tsv"
        other.write_bytes(b"\xef\xbb\xbfname\tindex\nlinks\t3\n")
        for lut in (other, str(other)):
            found = Region("r", saved, "links", lut).weights(GRID)
            assert np.array_equal(found.voxels, np.flatnonzero(atlas() == 3))

    def test_a_name_that_is_not_there_is_reported_with_its_like(self, saved):
        with pytest.raises(SeedError, match=r"no region 'rigth half'; near are right half"):
            Region("r", saved, "rigth half").weights(GRID)
        with pytest.raises(SeedError, match=r"no region 'xyzzy'; near are left half, right half"):
            Region("r", saved, "xyzzy").weights(GRID)

    def test_names_without_a_table_are_reported(self, saved):
        saved.with_name("atlas.tsv").unlink()
        with pytest.raises(MissingFile, match=r"atlas.tsv is not there; .*columns index and name"):
            Region("r", saved, "left half").weights(GRID)

    @pytest.mark.parametrize(
        "text", ["number\tname\n3\tleft\n", "index\tname\nthree\tleft\n", "index\tname\n3\n"]
    )
    def test_a_table_that_is_none_is_refused(self, saved, text):
        saved.with_name("atlas.tsv").write_text(text)
        with pytest.raises(ImageError, match=r"atlas.tsv: a look-up table has the columns index"):
            Region("r", saved, "left").weights(GRID)

    def test_a_region_lost_on_the_way_is_reported(self):
        values = np.zeros((20, 24, 16), np.int16)
        values[2, 2, 2] = 5
        with pytest.raises(SeedError, match="no voxel centre of the run is in it"):
            Region("r", image(values, FINE), 5).weights(GRID)


class TestSeries:
    def test_values_are_copied_and_protected(self):
        values = np.arange(5)
        seed = SeriesSeed("heart", values)
        values[0] = 9
        assert seed.values.tolist() == [0, 1, 2, 3, 4]
        assert seed.values.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            seed.values[0] = 1
        assert seed.definition == "time course of 5 values"
        assert seed.source == ""
        assert not isinstance(seed, Seed)

    @pytest.mark.parametrize("shape", [(5, 1), (1, 5)])
    def test_a_column_is_a_series(self, shape):
        assert SeriesSeed("heart", np.arange(5.0).reshape(shape)).values.shape == (5,)

    @pytest.mark.parametrize("values", [np.zeros((5, 2)), 3.0, np.zeros((5, 1, 1))])
    def test_what_is_no_series_is_refused(self, values):
        with pytest.raises(SeedError, match=r"seed 'heart': its values have shape"):
            SeriesSeed("heart", values)


class TestText:
    @pytest.mark.parametrize(
        ("text", "seed"),
        [
            ("PCC=0,-52,18", Sphere("PCC", (0, -52, 18), 8)),
            (" PCC = 0 , -52, 18 ", Sphere("PCC", (0, -52, 18), 8)),
            ("PCC=(0,-52,18)", Sphere("PCC", (0, -52, 18), 8)),
            ("PCC=0,-52,18:6", Sphere("PCC", (0, -52, 18), 6)),
            ("PCC=0.5,-52.25,1e1:6.5", Sphere("PCC", (0.5, -52.25, 10), 6.5)),
            ("a=1,2,3:0", Sphere("a", (1, 2, 3), 0)),
        ],
    )
    def test_spheres_are_read(self, text, seed):
        assert parse_seed(text) == seed

    def test_the_radius_of_the_option_is_for_seeds_without_their_own(self):
        assert parse_seed("a=1,2,3", radius=5).radius == 5
        assert parse_seed("a=1,2,3", radius=None).radius is None
        assert parse_seed("a=1,2,3:4", radius=5).radius == 4

    @given(st.tuples(*[st.floats(-200, 200)] * 3), st.floats(0, 50))
    def test_any_sphere_is_read_back(self, center, radius):
        text = f"a={center[0]!r},{center[1]!r},{center[2]!r}:{radius!r}"
        assert parse_seed(text) == Sphere("a", center, radius)

    def test_images_are_read(self):
        seed = parse_seed("lesion=some/mask.nii.gz")
        assert (seed.name, seed.image) == ("lesion", "some/mask.nii.gz")
        number = parse_seed("PCC=some/atlas.nii.gz#31")
        assert (number.atlas, number.label) == ("some/atlas.nii.gz", 31)
        name = parse_seed("PCC=some/atlas.nii.gz# Left Precuneus ")
        assert (name.atlas, name.label) == ("some/atlas.nii.gz", "Left Precuneus")
        assert parse_seed("a=C:/x/mask.nii").image == "C:/x/mask.nii"

    def test_a_file_that_is_there_wins(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "1,2,3").write_text("")
        (tmp_path / "mask#1.nii").write_text("")
        assert parse_seed("a=1,2,3").image == "1,2,3"
        assert parse_seed("a=mask#1.nii").image == "mask#1.nii"

    @pytest.mark.parametrize("text", ["", "PCC", "0,-52,18", "=0,-52,18", "PCC=", " = "])
    def test_text_that_is_no_seed_is_refused(self, text):
        with pytest.raises(SeedError, match=r"cannot be read; write name=x,y,z in mm"):
            parse_seed(text)

    @pytest.mark.parametrize("text", ["a=0,-52", "a=1,2,3,4", "a=x,y,z", "a=1,2,3:big", "a=1,,3"])
    def test_text_that_is_no_place_is_refused(self, text):
        with pytest.raises(
            SeedError, match=r"seed 'a': .* is not three numbers; write x,y,z in mm"
        ):
            parse_seed(text)

    @pytest.mark.parametrize("text", ["a=nan,0,0", "a=1,2,3:-4", "--=1,2,3", "a=inf,0,0"])
    def test_spheres_that_make_no_sense_are_refused(self, text):
        with pytest.raises(SeedError):
            parse_seed(text)


def test_places_of_a_known_name_are_proposed_and_none_is_chosen():
    with pytest.raises(SeedError, match="cannot be read; write name=x,y,z") as caught:
        parse_seed("vmPFC")
    said = str(caught.value)
    assert "regions called vmPFC lie in MNI space at vmPFC=6,64,3 vmPFC=9,51,16" in said
    with pytest.raises(SeedError, match=r"regions called posterior cingulate .* PCC=-5,-52,17 "):
        parse_seed("PCC")
    for unknown in ("nowhere", "default mode", "a/b.nii"):
        with pytest.raises(SeedError) as caught:
            parse_seed(unknown)
        assert "regions called" not in str(caught.value)
