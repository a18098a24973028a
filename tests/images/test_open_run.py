"""Runs come from files of every kind, from images in memory, and from lists."""

import bz2
import contextlib
import gzip
import json

import nibabel as nib
import numpy as np
import pytest

from seedmap.errors import (
    ImageError,
    MissingFile,
    OptionError,
    SeedmapError,
    SeedmapWarning,
    SpaceMismatch,
    TruncatedImage,
)
from seedmap.images import open_run, stem_of


def frames_of(run, wanted=None):
    """Read a run and return its frames as the numbers that they stand for."""
    frames = []
    with run.stream(wanted) as stream:
        while (frame := stream.take()) is not None:
            frames.append((frame.index, frame.values * np.float64(run.slope) + run.inter))
            stream.give_back(frame)
    return [index for index, _ in frames], np.stack([values for _, values in frames], axis=-1)


def as_nibabel_reads(path):
    return np.asarray(nib.load(path).dataobj, dtype=np.float64)


DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@pytest.mark.parametrize("scaling", [None, (0.25, 3.0)])
def test_every_type_is_read_as_nibabel_reads_it(tiny_run, dtype, endian, name, scaling):
    slope, inter = scaling or (None, 0.0)
    path = tiny_run(name, dtype=dtype, endian=endian, slope=slope, inter=inter)
    run = open_run(path)
    indices, frames = frames_of(run)
    assert indices == list(range(12))
    assert run.frames == 12
    assert run.dtype.str[1:] == dtype
    assert (run.slope, run.inter) == (scaling or (1.0, 0.0))
    assert run.path == path
    np.testing.assert_allclose(frames, as_nibabel_reads(path), rtol=1e-15)


@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_both_niftis_and_pairs_are_read(tiny_run, image_class, suffix):
    name = "run.img" + suffix[4:] if image_class is nib.Nifti1Pair else "run" + suffix
    path = tiny_run(name, image_class=image_class)
    run = open_run(path)
    assert np.array_equal(frames_of(run)[1], as_nibabel_reads(path))
    assert np.array_equal(run.space.affine, nib.load(path).affine)
    assert run.space.mask.all()


def test_header_extensions_are_stepped_over(tiny_run, tmp_path):
    image = nib.load(tiny_run())
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 5000))
    path = tmp_path / "extended.nii.gz"
    nib.save(image, path)
    assert np.array_equal(frames_of(open_run(path))[1], as_nibabel_reads(path))


def test_bzip2_and_freesurfer_files_are_read(tiny_run, tmp_path):
    path = tiny_run("run.nii")
    packed = tmp_path / "packed.nii.bz2"
    packed.write_bytes(bz2.compress(path.read_bytes()))
    assert np.array_equal(frames_of(open_run(packed))[1], as_nibabel_reads(path))
    freesurfer = tmp_path / "run.mgz"
    nib.save(
        nib.MGHImage(as_nibabel_reads(path).astype(np.float32), np.diag([2.0, 2, 2, 1])), freesurfer
    )
    assert np.array_equal(frames_of(open_run(freesurfer))[1], as_nibabel_reads(path))


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_an_image_in_memory_is_taken_as_it_is(order, dtype):
    values = np.asarray(np.random.default_rng(0).random((4, 3, 2, 6)) * 100, dtype, order=order)
    values.setflags(write=False)
    before = values.tobytes()
    run = open_run(nib.Nifti1Image(values, np.eye(4)), t_r=1.0)
    assert np.array_equal(frames_of(run)[1], values)
    assert values.tobytes() == before
    assert run.source == "image in memory"
    assert run.path is None


def test_an_image_loaded_from_a_stream_of_bytes_is_taken():
    values = (np.random.default_rng(0).random((4, 3, 2, 6)) * 100).astype(np.int16)
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_slope_inter(0.5, 2)
    run = open_run(nib.Nifti1Image.from_bytes(image.to_bytes()))
    np.testing.assert_allclose(frames_of(run)[1], values * 0.5 + 2)


def test_formats_with_a_scaling_of_their_own_keep_it(tmp_path):
    class Scaled(nib.arrayproxy.ArrayProxy):
        """Scales each frame by its own number, as AFNI's and Philips's formats do."""

        def _get_scaled(self, dtype, slicer):
            return super()._get_scaled(dtype, slicer) * np.arange(1.0, 7)

    values = (np.random.default_rng(0).random((4, 3, 2, 6)) * 100).astype(np.int16)
    path = tmp_path / "raw.nii"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    image = nib.load(path)
    proxy = Scaled(str(path), ((4, 3, 2, 6), np.dtype(np.int16), 352))
    run = open_run(nib.Nifti1Image(proxy, np.eye(4), image.header))
    np.testing.assert_allclose(frames_of(run)[1], values * np.arange(1.0, 7))


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_only_the_wanted_frames_come(tiny_run, name):
    path = tiny_run(name)
    wanted = np.zeros(12, dtype=bool)
    wanted[[0, 3, 4, 11]] = True
    indices, frames = frames_of(open_run(path), wanted)
    assert indices == [0, 3, 4, 11]
    assert np.array_equal(frames, as_nibabel_reads(path)[..., wanted])


def test_frames_of_an_uncompressed_file_are_read_into_the_same_memory(tiny_run):
    with open_run(tiny_run("run.nii")).stream() as stream:
        frame = stream.take()
        place = frame.values.ctypes.data
        stream.give_back(frame)
        assert stream.take().values.ctypes.data == place


def test_a_list_of_volumes_is_a_run(tiny_run, tmp_path):
    image = nib.load(tiny_run(dtype=np.int16, slope=0.5))
    whole = np.asarray(image.dataobj)
    paths = [tmp_path / f"frame-{n}.nii.gz" for n in range(12)]
    for path, frame in zip(paths, nib.four_to_three(image), strict=True):
        nib.save(frame, path)
    from_files = open_run(paths, t_r=2)
    assert from_files.frames == 12
    assert from_files.source == str(paths[0])
    assert (from_files.timing.t_r, from_files.timing.source) == (2.0, "argument")
    stored = np.stack([as_nibabel_reads(path) for path in paths], axis=-1)
    assert np.array_equal(frames_of(from_files)[1], stored)
    np.testing.assert_allclose(stored, whole, rtol=1e-4, atol=1e-3)  # nibabel has scaled them anew
    mixed = [nib.load(path) if n % 2 else str(path) for n, path in enumerate(paths)]
    from_both = open_run(tuple(mixed))
    assert from_both.timing.t_r is None
    assert np.array_equal(frames_of(from_both)[1], frames_of(from_files)[1])


def volume(shape=(3, 4, 5), affine=None):
    return nib.Nifti1Image(np.ones(shape, np.float32), np.eye(4) if affine is None else affine)


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        ([], ImageError, "the list of images is empty"),
        ([volume(), volume((3, 4, 6))], SpaceMismatch, "image 1 of the list: its grid differs"),
        ([volume(), volume(affine=np.diag([2.0, 1, 1, 1]))], SpaceMismatch, "grid differs"),
        (
            [volume(), volume((3, 4, 5, 2))],
            ImageError,
            r"image 1 of the list: shape \(3, 4, 5, 2\)",
        ),
        ([volume(), 7], ImageError, "the frame is a int; give a path or a nibabel image"),
        ([volume(), "nowhere.nii"], MissingFile, "nowhere.nii: this frame is not there"),
    ],
)
def test_a_list_that_is_no_run_is_refused(images, error, words):
    with pytest.raises(error, match=words):
        open_run(images)


def test_files_that_are_no_run_are_refused(tiny_run, tmp_path):
    text = tmp_path / "text.nii.gz"
    text.write_text("not an image")
    surface = tmp_path / "lh.surface.gii"
    nib.save(nib.gifti.GiftiImage(), surface)
    flat, five = tmp_path / "flat.nii", tmp_path / "five.nii"
    nib.save(volume(), flat)
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5, 1, 7), np.float32), np.eye(4)), five)
    colours = np.zeros((2, 2, 2, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    cases = {
        tmp_path / "nowhere.nii.gz": (MissingFile, r"nowhere.nii.gz: this run is not there"),
        tmp_path: (MissingFile, "this run is a folder; check the path"),
        text: (ImageError, r"text.nii.gz: this run is not an image that can be read"),
        surface: (ImageError, r"surface.gii: the GIFTI file holds no data; a series .* is wanted"),
        flat: (ImageError, r"flat.nii: the image has 3 dimensions .* Is it a single volume\?"),
        five: (ImageError, r"five.nii: .*put the frames on the fourth axis"),
    }
    for path, (error, words) in cases.items():
        for given in (path, str(path)):
            with pytest.raises(error, match=words) as caught:
                open_run(given)
            assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="hemispheres 'bold'; give 'left', 'right' or both"):
        open_run({"bold": 1})
    with pytest.raises(ImageError, match="real numbers are wanted"):
        open_run(nib.Nifti1Image(colours, np.eye(4)))
    with pytest.raises(ImageError, match="values are stored as complex64"):
        open_run(nib.Nifti1Image(np.zeros((2, 2, 2, 5), np.complex64), np.eye(4)))


def test_a_file_that_is_called_gzip_and_is_not_is_refused(tiny_run, tmp_path):
    path = tmp_path / "plain.nii.gz"
    path.write_bytes(tiny_run("run.nii").read_bytes())
    with pytest.raises(ImageError, match=r"plain.nii.gz"):
        open_run(path)


def test_a_truncated_uncompressed_file_is_refused(tiny_run):
    path = tiny_run("run.nii")
    whole = path.read_bytes()
    path.write_bytes(whole[: 352 + 5 * 840 + 17])  # 7 x 6 x 5 x 4 bytes are a frame
    with pytest.raises(TruncatedImage, match=r"run.nii: 4569 bytes .* 10432 are wanted \(5 of 12"):
        open_run(path)


@pytest.mark.parametrize("affine", [np.diag([1.0, 1, 0, 1]), np.full((4, 4), np.nan)])
def test_an_affine_that_is_none_is_refused(affine):
    image = volume((2, 2, 2, 5))
    image._affine = affine
    with pytest.raises(ImageError, match="affine"):
        open_run(image)


class TestRepetitionTime:
    def test_the_argument_comes_first(self, tiny_run):
        path = tiny_run(t_r=2.0)
        (path.parent / "run.json").write_text(json.dumps({"RepetitionTime": 2.0}))
        with pytest.warns(SeedmapWarning, match="the JSON beside the run says 2 s"):
            run = open_run(path, t_r=1.5)
        assert (run.timing.t_r, run.timing.source) == (1.5, "argument")

    def test_the_json_comes_second(self, tiny_run):
        path = tiny_run(t_r=0)
        (path.parent / "run.json").write_text('{"RepetitionTime": 0.72, "Other": [1]}')
        run = open_run(path)
        assert (run.timing.t_r, run.timing.source) == (0.72, "json")

    @pytest.mark.parametrize("text", ["{}", "[1, 2]", '{"RepetitionTime": null}'])
    def test_a_json_that_does_not_say_leaves_the_header(self, tiny_run, text):
        path = tiny_run(t_r=0.72)
        (path.parent / "run.json").write_text(text)
        run = open_run(path)
        assert (run.timing.t_r, run.timing.source) == (0.72, "header")

    def test_a_contradiction_is_said(self, tiny_run):
        path = tiny_run(t_r=2.0)
        (path.parent / "run.json").write_text('{"RepetitionTime": 1.5}')
        with pytest.warns(
            SeedmapWarning, match=r"the JSON .* 1.5 s, the header says 2 s; the first is used"
        ):
            assert open_run(path).timing.t_r == 1.5
        with pytest.warns(SeedmapWarning, match=r"t_r \(--t-r\) says 3 s, the JSON"):
            assert open_run(path, t_r=3).timing.t_r == 3.0

    @pytest.mark.parametrize(
        ("units", "zoom", "seconds"),
        [("sec", 2.5, 2.5), ("msec", 2500, 2.5), ("usec", 2.5e6, 2.5), ("unknown", 2.5, 2.5)],
    )
    def test_the_headers_unit_is_honoured(self, units, zoom, seconds):
        image = volume((2, 2, 2, 5))
        image.header.set_xyzt_units("mm", units)
        image.header.set_zooms((1, 1, 1, zoom))
        assert open_run(image).timing.t_r == pytest.approx(seconds)

    def test_an_unknown_unit_of_length_does_not_matter(self):
        image = volume((2, 2, 2, 5))
        image.header.set_zooms((1, 1, 1, 1500))
        image.header["xyzt_units"] = 16 | 5
        assert open_run(image).timing.t_r == 1.5

    def test_freesurfer_counts_in_milliseconds(self):
        image = nib.MGHImage(np.ones((2, 2, 2, 5), np.float32), np.eye(4))
        image.header.set_zooms((1, 1, 1, 1500))
        assert open_run(image).timing.t_r == 1.5

    def test_formats_without_a_unit_are_taken_for_seconds(self):
        image = nib.AnalyzeImage(np.ones((2, 2, 2, 5), np.float32), np.eye(4))
        image.header.set_zooms((1, 1, 1, 1.5))
        assert open_run(image).timing.t_r == 1.5

    def test_nobody_says(self, tiny_run):
        assert open_run(tiny_run(t_r=0)).timing.t_r is None

    def test_a_header_that_says_nonsense_says_nothing(self):
        image = volume((2, 2, 2, 5))
        image.header["pixdim"][4] = np.nan
        assert open_run(image).timing.t_r is None

    @pytest.mark.parametrize("text", ["{", "", "\x00", '"RepetitionTime'])
    def test_a_broken_json_is_refused(self, tiny_run, text):
        path = tiny_run()
        (path.parent / "run.json").write_text(text)
        with pytest.raises(
            ImageError, match=r"run.json: this JSON beside the run is not JSON .* mend or remove it"
        ):
            open_run(path)

    @pytest.mark.parametrize("value", ["0", "-2", '"2"', "NaN", "Infinity", "[2]", "true"])
    def test_a_json_that_says_nonsense_is_refused(self, tiny_run, value):
        path = tiny_run()
        (path.parent / "run.json").write_text(f'{{"RepetitionTime": {value}}}')
        with pytest.raises(ImageError, match=r"run.json: RepetitionTime is .* above 0 is wanted"):
            open_run(path)

    @pytest.mark.parametrize("t_r", [0, -1.0, float("nan"), float("inf")])
    def test_an_argument_that_makes_no_sense_is_refused(self, tiny_run, t_r):
        path = tiny_run()
        for bold in (path, open_run(path), [volume(), volume()]):
            with pytest.raises(OptionError, match=r"t_r=.* a number of seconds above 0"):
                open_run(bold, t_r=t_r)

    def test_an_opened_run_passes_through(self, tiny_run):
        run = open_run(tiny_run())
        assert open_run(run) is run
        with pytest.warns(SeedmapWarning, match="says 3 s, the run has 2 s"):
            again = open_run(run, t_r=3)
        assert (again.timing.t_r, again.timing.source) == (3.0, "argument")
        assert run.timing.t_r == 2.0
        assert np.array_equal(frames_of(again)[1], frames_of(run)[1])


def test_codes_of_the_header_are_kept(tiny_run):
    image = nib.load(tiny_run())
    image.set_sform(image.affine, 4)
    image.set_qform(image.affine, 1)
    assert open_run(image).codes == (4, 1)
    spm = nib.AnalyzeImage(np.ones((2, 2, 2, 3), np.float32), np.eye(4))
    assert open_run(spm).codes == (2, 0)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/sub-01_bold.nii.gz", "sub-01_bold"),
        ("run.NII", "run"),
        ("run.img.gz", "run"),
        ("run.1.nii", "run.1"),
        ("run.mgz", "run"),
        ("run.other", "run"),
    ],
)
def test_a_stem_is_a_name_without_folder_and_suffix(name, stem):
    assert stem_of(name) == stem


def test_gzip_is_known_by_its_bytes(tiny_run, tmp_path):
    path = tiny_run("run.nii")
    other = tmp_path / "copy.nii.gz"
    other.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(frames_of(open_run(other))[1], as_nibabel_reads(path))


@pytest.mark.filterwarnings("ignore:.*header of this run was mended")
@pytest.mark.full
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_no_header_is_so_broken_that_it_is_our_fault(tiny_run, flip):
    """Whatever stands in the header: a run that can be read, or an error that says why not."""
    path = tiny_run("run.nii")
    whole = path.read_bytes()
    for at in range(348):
        content = bytearray(whole)
        content[at] ^= flip
        path.write_bytes(bytes(content))
        with contextlib.suppress(SeedmapError):
            run = open_run(path)
            if run.frames < 1000:
                frames_of(run)
