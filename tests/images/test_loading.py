"""Files that are cut, corrupt, or claim what they cannot hold: one line, and nothing allocated."""

import base64
import contextlib
import gzip
import os
import struct
import threading
import tracemalloc
import zlib

import nibabel as nib
import numpy as np
import pytest

from seedmap.errors import ImageError, MissingFile, SeedmapWarning, TruncatedImage
from seedmap.explorer.anatomy import image_underlay
from seedmap.images import load_surface, load_volume, open_run
from seedmap.images.annot import read_annot
from seedmap.images.gifti import read_gifti

SHAPE = (7, 6, 5)
FIELDS = nib.Nifti1Header.template_dtype.fields
READERS = {
    "mask": lambda path: load_volume(path, "mask"),
    "anatomy": image_underlay,
    "run": lambda path: list(iter(open_run(path).stream().take, None)),
}


@pytest.fixture
def whole():
    """The bytes of a volume of whole numbers, uncompressed."""
    values = (np.arange(np.prod(SHAPE)) % 3).astype(np.int16).reshape(SHAPE)
    return nib.Nifti1Image(values, np.diag([2.0, 2, 2, 1])).to_bytes()


def edited(whole, name, value, at=0):
    kind, offset = FIELDS[name][:2]
    base = kind.base
    place = offset + at * base.itemsize
    return whole[:place] + np.array(value, base).tobytes() + whole[place + base.itemsize :]


def one_line(error, path):
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text


@pytest.mark.parametrize("reader", ["mask", "anatomy"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.6, 0.99])
def test_a_cut_image_is_refused(whole, tmp_path, reader, packed, share):
    path = tmp_path / ("a.nii.gz" if packed else "a.nii")
    content = gzip.compress(whole) if packed else whole
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ImageError) as error:
        READERS[reader](path)
    one_line(error, path)


@pytest.mark.filterwarnings("ignore:.*was mended to read it")
@pytest.mark.parametrize(
    ("name", "value", "at"),
    [("vox_offset", 1e30, 0), ("vox_offset", np.inf, 0), ("vox_offset", -16, 0), ("dim", 0, 1),
     ("dim", -3, 2), ("dim", 0, 0), ("dim", 7, 0), ("datatype", 128, 0), ("datatype", 1, 0),
     ("datatype", 32, 0), ("datatype", 2304, 0), ("magic", b"xxx", 0), ("datatype", 1536, 0)],
)  # fmt: skip
@pytest.mark.parametrize("reader", ["mask", "anatomy"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_makes_no_sense_is_refused(whole, tmp_path, reader, packed, name, value, at):
    path = tmp_path / ("a.nii.gz" if packed else "a.nii")
    content = edited(whole, name, value, at)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ImageError) as error:
        READERS[reader](path)
    one_line(error, path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_claim_of_size_is_checked_before_anything_is_allocated(whole, tmp_path, reader, packed):
    content = whole
    for axis, size in ((0, 4), (1, 2000), (2, 2000), (3, 2000), (4, 5)):
        content = edited(content, "dim", size, axis)
    if reader != "run":
        content = edited(content, "dim", 3, 0)
    path = tmp_path / ("a.nii.gz" if packed else "a.nii")
    path.write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    with pytest.raises(TruncatedImage, match="are wanted") as error:
        READERS[reader](path)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
    one_line(error, path)


@pytest.mark.parametrize("reader", READERS)
def test_what_inflates_without_end_is_not_inflated(whole, tmp_path, reader):
    """Eight megabytes of compressed zeros are eight gigabytes: plausible, and no image."""
    content = edited(whole, "datatype", 2)
    for axis, size in ((0, 4), (1, 2000), (2, 2000), (3, 2000), (4, 2)):
        content = edited(content, "dim", size, axis)
    if reader != "run":
        content = edited(content, "dim", 3, 0)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(content) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(64))
    path = tmp_path / "a.nii.gz"
    path.write_bytes(packed + packer.flush() + bytes(16 << 20))
    with pytest.raises(ImageError, match="resample it") as error:
        READERS[reader](path)
    one_line(error, path)


def test_what_nibabel_mends_is_a_warning_and_nothing_is_printed(whole, tmp_path, capfd):
    path = tmp_path / "a.nii"
    path.write_bytes(edited(whole, "sizeof_hdr", 7))
    with pytest.warns(SeedmapWarning, match="a.nii: the header of this mask was mended .*348"):
        values, _ = load_volume(path, "mask")
    assert values.shape == SHAPE
    assert capfd.readouterr().err == ""


def annot(tmp_path, labels, colours, names):
    path = tmp_path / "lh.x.annot"
    nib.freesurfer.write_annot(path, labels, colours, names)
    return path


def test_an_annotation_is_read_as_nibabel_reads_it(tmp_path):
    rng = np.random.default_rng(0)
    colours = np.array([[0, 0, 0, 0, 0], [9, 1, 0, 0, 0], [1, 200, 3, 0, 0], [7, 7, 7, 255, 0]])
    names = ["none", "first", "second", "third"]
    path = annot(tmp_path, rng.integers(-1, 4, 300), colours, names)
    labels, found = read_annot(path)
    wanted, _, theirs = nib.freesurfer.read_annot(path)
    np.testing.assert_array_equal(labels, wanted)
    assert found == {n: name.decode() for n, name in enumerate(theirs)}


def test_no_annotation_that_is_cut_or_changed_is_our_fault(tmp_path):
    colours = np.array([[5, 0, 0, 0, 0], [9, 1, 0, 0, 0]])
    path = annot(tmp_path, np.arange(50) % 2, colours, ["first", "second"])
    whole = path.read_bytes()
    for at in range(0, len(whole), 4):
        for content in (whole[:at], whole[:at] + b"\x7f\xff\xff\xff" + whole[at + 4 :]):
            path.write_bytes(content)
            with contextlib.suppress(ImageError):
                assert read_annot(path)[0].shape == (50,)


GIFTI = """<?xml version="1.0"?><GIFTI Version="1.0" NumberOfDataArrays="{count}"><LabelTable/>
<DataArray Intent="NIFTI_INTENT_NONE" DataType="NIFTI_TYPE_{kind}" ArrayIndexingOrder="RowMajorOrder"
Dimensionality="{axes}" Encoding="{coding}" Endian="LittleEndian" ExternalFileName="" Dim0="{size}">
<Data>{data}</Data></DataArray></GIFTI>"""
PACKED = base64.b64encode(zlib.compress(struct.pack("<3f", 1, 2, 3))).decode()
USUAL = {
    "count": 1,
    "kind": "FLOAT32",
    "axes": 1,
    "size": 3,
    "data": PACKED,
    "coding": "GZipBase64Binary",
}


@pytest.mark.parametrize(
    "how",
    [{}, {"coding": "Base64Binary", "data": base64.b64encode(struct.pack("<3f", 1, 2, 3)).decode()},
     {"coding": "ASCII", "data": "1 2\n3"}, {"coding": "ASCII", "data": "1 2 3", "kind": "FLOAT64"},
     {"coding": "ASCII", "data": "1 2 3", "kind": "INT16"}],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_every_coding_of_gifti_is_read(tmp_path, how, packed):
    path = tmp_path / ("lh.a.gii.gz" if packed else "lh.a.gii")
    content = GIFTI.format(**USUAL | how).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    (array,) = read_gifti(path, "map").arrays
    np.testing.assert_array_equal(array.values, [1, 2, 3])


BOMB = base64.b64encode(zlib.compress(bytes(64 << 20))).decode()


@pytest.mark.parametrize(
    "how",
    [{"size": 4}, {"size": 2}, {"size": -3}, {"size": "x"}, {"size": 10**12}, {"axes": 0},
     {"axes": 10**20}, {"axes": 2}, {"count": 2}, {"kind": "RGB24"}, {"coding": "ExternalFileBinary"},
     {"data": PACKED[:9]}, {"data": ""}, {"data": BOMB}, {"coding": "ASCII", "data": "1 2 x"}],
)  # fmt: skip
def test_a_gifti_of_other_sizes_than_it_states_is_refused(tmp_path, how):
    path = tmp_path / "lh.a.gii"
    path.write_text(GIFTI.format(**USUAL | how))
    tracemalloc.start()
    with pytest.raises(ImageError) as error:
        read_gifti(path, "map")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
    one_line(error, path)


@pytest.mark.parametrize("corner", [-1, 4, 2**31 - 1])
def test_triangles_have_vertices_that_are_there(tmp_path, corner):
    arrays = [
        nib.gifti.GiftiDataArray(np.eye(4, 3, dtype=np.float32), "NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(np.array([[0, 1, corner]], np.int32), "NIFTI_INTENT_TRIANGLE"),
    ]
    path = tmp_path / "lh.surf.gii"
    nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
    with pytest.raises(ImageError, match="vertices that it does not have") as error:
        load_surface(path)
    one_line(error, path)


def test_a_surface_of_freesurfer_that_is_cut_is_refused(tmp_path):
    path = tmp_path / "lh.white"
    nib.freesurfer.write_geometry(path, np.eye(4, 3), np.array([[0, 1, 2], [1, 2, 3]]))
    whole = path.read_bytes()
    assert len(load_surface(path).coordinates) == 4
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at])
        with pytest.raises(ImageError) as error:
            load_surface(path)
        one_line(error, path)


def test_nothing_and_a_folder(tmp_path):
    for path in (tmp_path, tmp_path / "no.nii"):
        with pytest.raises(MissingFile, match="this mask"):
            load_volume(path, "mask")


@pytest.fixture
def dense(tmp_path):
    """A small CIFTI run, and a way to change its XML without changing its length."""
    axis = nib.cifti2.BrainModelAxis.from_mask(np.arange(30) % 5 > 0, "CortexLeft")
    inside = np.zeros((4, 4, 4), bool)
    inside[1:3, 1:3, 1:3] = True
    axis += nib.cifti2.BrainModelAxis.from_mask(inside, "ThalamusLeft", np.diag([2.0, 2, 2, 1]))
    values = np.random.default_rng(0).normal(size=(40, len(axis))).astype(np.float32)
    path = tmp_path / "a.dtseries.nii"
    nib.save(nib.Cifti2Image(values, (nib.cifti2.SeriesAxis(0, 2, 40), axis)), path)
    whole = path.read_bytes()

    def change(old, new):
        assert whole.count(old) >= 1
        content = whole.replace(old, new, 1)
        end = content.index(b"</CIFTI>") + 8
        content = content[:end] + b" " * (len(whole) - len(content)) + content[end:]
        path.write_bytes(
            content if len(new) <= len(old) else whole.replace(old, new[: len(old)], 1)
        )
        return path

    return change


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"1 2 3 4", b"1_2 3 4"), (b"1 2 3 4", b"1 2 2 4"), (b"6 7 8 9", b"6 nan 9"),
     (b"6 7 8 9", b"6 7 8 -"), (b"26 27 28 29", b"26 27 28 39"), (b"1 2 3 4", b"1 2 0x4"),
     (b'IndexCount="24"', b'IndexCount="23"'), (b'IndexOffset="24"', b'IndexOffset="25"'),
     (b"1 1 1", b"1 1 7"), (b"1 1 1", b"1 1 2"), (b"THALAMUS_LEFT", b"CORTEX_LEFT"),
     (b'NumberOfSeriesPoints="40"', b'NumberOfSeriesPoints="x"'), (b"SECOND", b"SECON"),
     (b"MatrixIndicesMap", b"MatrixIndicesMob")],
)  # fmt: skip
def test_places_of_cifti_that_are_none_are_refused(dense, old, new):
    path = dense(old, new)
    if new == b"SECON":  # a unit that is not known says no repetition time
        assert open_run(path).timing.t_r is None
        return
    with pytest.raises(ImageError) as error:
        open_run(path)
    one_line(error, path)


def test_a_plain_file_that_is_cut_while_it_is_read(whole, tmp_path):
    """A memory map would end the process by a signal."""
    values = np.random.default_rng(0).normal(size=(32, 32, 32, 40)).astype(np.float32)
    path = tmp_path / "run.nii"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    run = open_run(path)
    with run.stream() as stream:
        np.testing.assert_array_equal(stream.take().values, values[..., 0])
        os.truncate(path, 352 + 5 * values[..., 0].nbytes + 7)
        frames = [stream.take() for _ in range(4)]
        assert [frame.index for frame in frames] == [1, 2, 3, 4]
        with pytest.raises(
            TruncatedImage, match=r"655719 bytes of image .*\(5 of 40 frames"
        ) as error:
            stream.take()
    one_line(error, path)
    path.unlink()
    with pytest.raises(MissingFile, match="is gone; put it back"):
        run.stream()


def test_frames_of_a_plain_file_are_read_by_many_threads(tmp_path):
    values = np.random.default_rng(0).normal(size=(9, 8, 7, 60)).astype(np.float32)
    path = tmp_path / "run.nii"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    found = {}

    def work(stream):
        while (frame := stream.take()) is not None:
            found[frame.index] = frame.values.copy()
            stream.give_back(frame)

    wanted = np.arange(60) % 4 > 0
    with open_run(path).stream(wanted) as stream:
        threads = [threading.Thread(target=work, args=(stream,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(stream._free) <= 4
    assert sorted(found) == np.flatnonzero(wanted).tolist()
    for index, frame in found.items():
        np.testing.assert_array_equal(frame, values[..., index])


def test_a_cifti_file_that_is_cut_while_it_is_read(dense):
    path = dense(b"SECOND", b"SECOND")
    with open_run(path).stream() as stream:
        for _ in range(32):  # so many are read at once
            assert stream.take() is not None
        os.truncate(path, path.stat().st_size - 100)
        with pytest.raises(TruncatedImage, match="cuts the file") as error:
            stream.take()
    one_line(error, path)
