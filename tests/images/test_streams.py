"""Frames come one after the other, whatever the gzip looks like, and damage is reported."""

import gzip
import io
import itertools
import struct
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap.errors import ImageError, SeedmapWarning, TruncatedImage
from seedmap.images import open_run
from seedmap.images.inflate import DamagedFile, Inflated, is_gzip

FRAME, OFFSET, FRAMES = 7 * 6 * 5 * 4, 352, 12


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = threading.enumerate()
    yield
    now = [one for one in threading.enumerate() if one not in before]
    assert not [one for one in now if one.name.startswith("seedmap")]


@pytest.fixture
def raw(tmp_path):
    """Bytes of an uncompressed run of 12 frames of noise, which cannot be compressed much."""
    values = np.random.default_rng(0).standard_normal((7, 6, 5, FRAMES)).astype("<f4")
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "plain.nii")
    data = (tmp_path / "plain.nii").read_bytes()
    assert len(data) == OFFSET + FRAMES * FRAME
    return data


@pytest.fixture
def packed(tmp_path, raw):
    """Write bytes as a gzip file; give its path and the frames that it should hold."""
    frames = np.frombuffer(raw, "<f4", offset=OFFSET).reshape(FRAMES, -1)

    def make(content):
        path = tmp_path / "packed.nii.gz"
        path.write_bytes(content)
        return path

    make.frames = frames
    return make


def read(path, wanted=None):
    found = []
    with open_run(path).stream(wanted) as stream:
        while (frame := stream.take()) is not None:
            found.append(frame.values.ravel(order="F").copy())
            stream.give_back(frame)
    return np.array(found)


@pytest.mark.parametrize("level", range(10))
def test_every_level_of_compression_is_read(raw, packed, level):
    assert np.array_equal(read(packed(gzip.compress(raw, level))), packed.frames)


@pytest.mark.parametrize("strategy", [zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED])
def test_every_kind_of_block_is_read(raw, packed, strategy):
    packer = zlib.compressobj(6, zlib.DEFLATED, 31, 8, strategy)
    assert np.array_equal(read(packed(packer.compress(raw) + packer.flush())), packed.frames)


def test_a_header_with_every_field_is_stepped_over(raw, packed):
    body = gzip.compress(raw)[10:]
    flags = 4 | 8 | 16  # extra field, name, comment
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\x03"
    header += struct.pack("<H", 5) + b"extra" + b"name\0" + b"comment\0"
    assert np.array_equal(read(packed(header + body)), packed.frames)


@pytest.mark.parametrize("size", [FRAME, 1000, 353, 4096])
def test_member_after_member_is_read(raw, packed, size):
    members = [gzip.compress(raw[at : at + size]) for at in range(0, len(raw), size)]
    assert np.array_equal(read(packed(b"".join(members))), packed.frames)


@given(st.lists(st.integers(1, 10431), max_size=6, unique=True), st.integers(0, 9))
def test_members_of_any_size_give_the_same_bytes(cuts, level):
    content = np.random.default_rng(0).integers(0, 4, 10432, dtype=np.uint8).tobytes()
    parts = itertools.pairwise([0, *sorted(cuts), len(content)])
    joined = b"".join(gzip.compress(content[first:last], level) for first, last in parts)
    assert inflate(joined) == content


def inflate(compressed, piece=777):
    """Inflate bytes as a file is inflated, a piece at a time."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.gz"
        path.write_bytes(compressed)
        found, buffer = bytearray(), bytearray(piece)
        with Inflated(path) as file:
            while count := file.readinto(buffer):
                found += buffer[:count]
        return bytes(found)


def test_empty_members_are_stepped_over(raw, packed):
    content = gzip.compress(b"") + gzip.compress(raw) + gzip.compress(b"") * 3
    assert np.array_equal(read(packed(content)), packed.frames)


@pytest.mark.parametrize("zeros", [1, 511, 200_000])
def test_zeros_after_the_end_are_padding(raw, packed, zeros):
    half = len(raw) // 2
    pad = b"\0" * zeros
    assert np.array_equal(read(packed(gzip.compress(raw) + pad)), packed.frames)
    between = gzip.compress(raw[:half]) + pad + gzip.compress(raw[half:])
    assert np.array_equal(read(packed(between)), packed.frames)


@pytest.mark.parametrize(
    "garbage", [b"x", b"\x1f", b"garbage" * 100, b"\0\0\0junk", b"\x1f\x8ajunk"]
)
def test_garbage_after_the_end_is_said_and_ignored(raw, packed, garbage):
    path = packed(gzip.compress(raw) + garbage)
    with pytest.warns(SeedmapWarning, match=r"packed.nii.gz: the image is whole, but \d+ bytes"):
        found = read(path)
    assert np.array_equal(found, packed.frames)


def test_inflated_data_after_the_last_frame_is_no_fault(raw, packed):
    assert np.array_equal(read(packed(gzip.compress(raw + b"more" * 5000))), packed.frames)


def test_a_wrong_checksum_is_reported(raw, packed):
    content = bytearray(gzip.compress(raw))
    content[-6] ^= 1
    with pytest.raises(TruncatedImage, match=r"packed.nii.gz: .*hecksum.*damaged") as caught:
        read(packed(bytes(content)))
    assert "copy it again" in str(caught.value)


def test_a_wrong_checksum_after_the_last_frame_is_reported(raw, packed):
    content = bytearray(gzip.compress(raw + bytes(1_000_000), 0))
    content[-6] ^= 1
    with pytest.raises(TruncatedImage, match=r"packed.nii.gz: the compressed file is damaged"):
        read(packed(bytes(content)))


def test_a_wrong_length_is_reported(raw, packed):
    content = bytearray(gzip.compress(raw))
    content[-1] ^= 1
    with pytest.raises(TruncatedImage, match="damaged"):
        read(packed(bytes(content)))


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:.*header of this run was mended")
def test_a_flipped_bit_never_passes(raw, packed):
    """Bits that say nothing of the data aside: the gzip header, and padding in the last byte."""
    whole = gzip.compress(raw, mtime=0)
    for at in [*range(10, 200), *np.linspace(200, len(whole) - 10, 60).astype(int)]:
        content = bytearray(whole)
        content[at] ^= 0x10
        with pytest.raises(ImageError, match=r"packed.nii.gz: .*(damaged|not an image)") as caught:
            read(packed(bytes(content)))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_truncated_file_is_reported(raw, packed, share, level):
    whole = gzip.compress(raw, level)
    path = packed(whole[: int(share * len(whole))])
    with pytest.raises(TruncatedImage, match=r"packed.nii.gz: .*copy it again") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_file_truncated_anywhere_is_reported(raw, packed):
    whole = gzip.compress(raw)
    for end in [*range(1, 30), *np.linspace(30, len(whole) - 9, 60).astype(int), *range(-8, 0)]:
        wanted = r"copy it again|not an image that can be read"
        with pytest.raises(ImageError, match=wanted) as caught:
            read(packed(whole[:end]))
        assert "packed.nii.gz" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_whole_frames_before_the_damage_are_delivered_and_counted(raw, packed):
    path = packed(gzip.compress(raw[: OFFSET + 7 * FRAME + 100]))
    with open_run(path).stream() as stream:
        for index in range(7):
            frame = stream.take()
            assert frame.index == index
            assert np.array_equal(frame.values.ravel(order="F"), packed.frames[index])
            stream.give_back(frame)
        for _ in range(2):  # and again, for whoever asks next
            with pytest.raises(
                TruncatedImage, match=r"6332 bytes .* 10432 .*\(7 of 12 frames; there"
            ):
                stream.take()


def test_damage_is_reported_even_if_the_last_frames_are_not_wanted(raw, packed):
    wanted = np.arange(FRAMES) < 3
    path = packed(gzip.compress(raw[: OFFSET + 7 * FRAME]))
    with pytest.raises(TruncatedImage):
        read(path, wanted)


def test_a_file_that_vanishes_is_reported_where_frames_are_taken(raw, packed):
    path = packed(gzip.compress(raw))
    run = open_run(path)
    path.unlink()
    with run.stream() as stream, pytest.raises(FileNotFoundError):
        stream.take()


@pytest.mark.parametrize("taken", [0, 1, 3])
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_a_stream_that_is_left_early_leaves_no_thread(tiny_run, taken, name):
    run = open_run(tiny_run(name, frames=40))
    with run.stream() as stream:
        for _ in range(taken):
            stream.take()
    stream.close()  # once more does no harm


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_an_interruption_leaves_no_thread(tiny_run, name):
    run = open_run(tiny_run(name, frames=40))

    def interrupted():
        with run.stream() as stream:
            stream.take()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_after_the_last_frame_there_is_none_for_everyone(tiny_run):
    with open_run(tiny_run()).stream() as stream:
        while (frame := stream.take()) is not None:
            stream.give_back(frame)
        assert stream.take() is None
        assert stream.take() is None


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@pytest.mark.parametrize("takers", [2, 3, 7])
def test_several_threads_share_a_stream(tiny_run, name, takers):
    path = tiny_run(name, frames=60)
    wanted = np.asarray(nib.load(path).dataobj).sum(axis=(0, 1, 2), dtype=np.float64)
    found = np.full(60, np.nan)

    def take_all(stream):
        count = 0
        while (frame := stream.take()) is not None:
            found[frame.index] = frame.values.sum(dtype=np.float64)
            stream.give_back(frame)
            count += 1
        return count

    with open_run(path).stream() as stream, ThreadPoolExecutor(takers) as pool:
        counts = list(pool.map(take_all, [stream] * takers))
    assert sum(counts) == 60
    np.testing.assert_allclose(found, wanted)


def test_a_stream_can_be_opened_again_and_twice_at_once(tiny_run):
    run = open_run(tiny_run())
    with run.stream() as one, run.stream() as two:
        for index in range(12):
            first, second = one.take(), two.take()
            assert first.index == second.index == index
            assert np.array_equal(first.values, second.values)
            one.give_back(first)
            two.give_back(second)


@pytest.mark.full
def test_the_whole_run_is_never_held(tiny_run):
    """Few buffers go round: forty times the frames take no more memory."""
    path = tiny_run(shape=(40, 40, 40), frames=60)  # 256 kB a frame, 15 MB in all
    run = open_run(path)
    tracemalloc.start()
    with run.stream() as stream:
        while (frame := stream.take()) is not None:
            stream.give_back(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 256_000


def test_inflating_reports_what_ends_too_early(tmp_path):
    whole = gzip.compress(b"some words " * 1000)
    for end in (3, 10, 20, len(whole) - 9, len(whole) - 1):
        with pytest.raises(DamagedFile):
            inflate(whole[:end])


def test_inflating_is_reading_a_file(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"some words"))
    assert is_gzip(path)
    file = Inflated(path)
    assert file.readable()
    assert io.BufferedReader(file).read() == b"some words"
    file.close()
    assert file.closed
    path.write_bytes(b"plain")
    assert not is_gzip(path)
