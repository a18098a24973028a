"""Files are written whole or not at all, and say what they are."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedmap.errors import MissingFile, OutputError
from seedmap.images import (
    Grid,
    MapKind,
    atomic_file,
    check_writable,
    open_run,
    staged_folder,
    volume_image,
    write_text,
    write_volume,
)

WORDS = "as it was"
AFFINE = np.array([[0.0, -2, 0, 10], [2, 0, 0.1, -20], [0, 0, 3, 5], [0, 0, 0, 1]])
GRID = Grid.whole(AFFINE, (4, 3, 2))


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*"))


class TestOneFile:
    def test_it_appears_when_it_is_complete(self, tmp_path):
        path = tmp_path / "file.txt"
        with atomic_file(path) as file:
            file.write(b"half")
            assert not path.exists()
            file.write(b" and half")
        assert path.read_bytes() == b"half and half"
        assert everything_in(tmp_path) == ["file.txt"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MissingFile])
    def test_nothing_is_left_if_the_work_fails(self, tmp_path, error):
        path = tmp_path / "file.txt"
        path.write_text("before")

        def work():
            with atomic_file(path) as file:
                file.write(b"half")
                raise error(WORDS)

        with pytest.raises(error, match=WORDS):
            work()
        assert path.read_text() == "before"
        assert everything_in(tmp_path) == ["file.txt"]

    def test_a_folder_that_is_a_file_is_reported(self, tmp_path):
        (tmp_path / "folder").write_text("")
        with pytest.raises(
            OutputError, match=r"folder.file.txt: cannot be written .*--out"
        ) as caught:
            write_text(tmp_path / "folder" / "file.txt", "words")
        assert "\n" not in str(caught.value)

    def test_a_folder_that_is_not_there_is_reported(self, tmp_path):
        with pytest.raises(OutputError, match="cannot be written"):
            write_text(tmp_path / "nowhere" / "file.txt", "words")

    def test_a_name_that_is_a_folders_is_reported(self, tmp_path):
        (tmp_path / "taken").mkdir()
        with pytest.raises(OutputError, match="taken: cannot be written"):
            write_text(tmp_path / "taken", "words")
        assert everything_in(tmp_path) == ["taken"]

    def test_it_has_the_rights_that_files_usually_have(self, tmp_path):
        usual = tmp_path / "usual"
        usual.write_text("")
        written = write_text(tmp_path / "written", "words")
        assert written.stat().st_mode == usual.stat().st_mode

    def test_text_is_utf8(self, tmp_path):
        path = write_text(str(tmp_path / "file.txt"), "Größe\n")
        assert path.read_bytes() == "Größe\n".encode()


class TestFolder:
    def test_files_move_into_place_at_the_end(self, tmp_path):
        folder = tmp_path / "out" / "deep"
        with staged_folder(folder) as stage:
            (stage / "figures").mkdir()
            (stage / "figures" / "map.png").write_text("picture")
            (stage / "map.nii").write_text("map")
            assert stage.parent == folder
            assert not (folder / "map.nii").exists()
        assert everything_in(folder) == ["figures", "figures/map.png", "map.nii"]

    def test_old_files_of_the_same_name_are_replaced_and_others_stay(self, tmp_path):
        folder = tmp_path / "out"
        (folder / "figures").mkdir(parents=True)
        for name in ("figures/old.png", "map.nii", "other.txt"):
            (folder / name).write_text("old")
        with staged_folder(str(folder)) as stage:
            (stage / "figures").mkdir()
            (stage / "figures" / "new.png").write_text("new")
            (stage / "map.nii").write_text("new")
        assert everything_in(folder) == [
            "figures", "figures/new.png", "figures/old.png", "map.nii", "other.txt",
        ]  # fmt: skip
        assert (folder / "map.nii").read_text() == "new"

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MissingFile])
    def test_nothing_is_left_if_the_work_fails(self, tmp_path, error):
        folder = tmp_path / "out" / "deep"

        def work():
            with staged_folder(folder) as stage:
                (stage / "sub").mkdir()
                (stage / "sub" / "map.nii").write_text("half")
                raise error(WORDS)

        with pytest.raises(error, match=WORDS):
            work()
        assert everything_in(tmp_path) == []

    def test_a_folder_that_was_there_stays_as_it_was(self, tmp_path):
        (tmp_path / "map.nii").write_text("old")

        def work():
            with staged_folder(tmp_path) as stage:
                (stage / "map.nii").write_text("new")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            work()
        assert everything_in(tmp_path) == ["map.nii"]
        assert (tmp_path / "map.nii").read_text() == "old"

    @pytest.mark.parametrize("clash", ["z.txt", "figures"])
    def test_a_name_that_is_taken_by_the_other_kind_moves_nothing(self, tmp_path, clash):
        folder = tmp_path / "out"
        folder.mkdir()
        if clash == "figures":
            (folder / "figures").write_text("a file")
        else:
            (folder / "z.txt").mkdir()

        def work():
            with staged_folder(folder) as stage:
                (stage / "figures").mkdir()
                (stage / "figures" / "map.png").write_text("new")
                (stage / "a.txt").write_text("new")
                (stage / "z.txt").write_text("new")

        with pytest.raises(OutputError, match=rf"out: cannot be written \({clash} is a"):
            work()
        assert everything_in(folder) == [clash]

    def test_a_folder_is_tried_beforehand_and_nothing_stays(self, tmp_path):
        check_writable(tmp_path / "out" / "deep")
        assert everything_in(tmp_path) == []
        (tmp_path / "mine.txt").write_text("mine")
        check_writable(str(tmp_path))
        assert everything_in(tmp_path) == ["mine.txt"]
        with pytest.raises(OutputError, match=r"mine.txt: cannot be written \(File exists\)"):
            check_writable(tmp_path / "mine.txt")
        assert everything_in(tmp_path) == ["mine.txt"]

    def test_a_folder_that_is_a_file_is_reported(self, tmp_path):
        (tmp_path / "taken").write_text("")
        for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
            words = r"taken.*: cannot be written .* Nothing was left"
            with pytest.raises(OutputError, match=words), staged_folder(folder):
                pytest.fail("the work must not begin")
        assert everything_in(tmp_path) == ["taken"]


LIMITED = """
import resource, signal, sys
import numpy as np
from seedmap.errors import OutputError
from seedmap.images import Grid, staged_folder, volume_image, write_volume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
noise = np.random.default_rng(0).standard_normal((40, 40, 40)).astype("f4")
image = volume_image(noise, Grid.whole(np.eye(4), noise.shape))
for name in sys.argv[2:]:
    try:
        with staged_folder(sys.argv[1]) as stage:
            write_volume(stage / name, image)
    except OutputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on files are a thing of Unix")
def test_a_full_disk_leaves_nothing(tmp_path):
    folder = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder), "map.nii", "map.nii.gz"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "cannot be written (File too large); free some space" in line
    assert done.stderr == ""
    assert not folder.exists()


class TestVolumes:
    @pytest.mark.parametrize("name", ["map.nii", "map.nii.gz"])
    def test_what_is_written_can_be_read(self, tmp_path, name):
        values = np.random.default_rng(0).standard_normal(GRID.shape)
        values[0, 0, 0] = np.nan
        values.setflags(write=False)
        path = write_volume(tmp_path / name, volume_image(values, GRID, codes=(4, 1)))
        image = nib.load(path)
        assert image.get_data_dtype() == np.float32
        assert np.array_equal(image.dataobj, values.astype(np.float32), equal_nan=True)
        np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
        assert everything_in(tmp_path) == [name]

    @given(arrays(np.float32, (3, 2, 2, 4), elements=st.floats(width=32, allow_nan=True)))
    def test_every_float_comes_back(self, tmp_path_factory, values):
        folder = tmp_path_factory.mktemp("written")
        grid = Grid.whole(AFFINE, (3, 2, 2))
        run = open_run(write_volume(folder / "run.nii.gz", volume_image(values, grid, t_r=0.8)))
        assert run.timing.t_r == 0.8
        with run.stream() as stream:
            for index in range(4):
                found = stream.take().values
                assert np.array_equal(found, values[..., index], equal_nan=True)

    @pytest.mark.parametrize("name", ["map.nii", "map.nii.gz"])
    def test_the_same_image_gives_the_same_bytes(self, tmp_path, name):
        values = np.random.default_rng(0).standard_normal(GRID.shape)
        image = volume_image(values, GRID)
        one = write_volume(tmp_path / name, image).read_bytes()
        assert write_volume(tmp_path / ("other-" + name), image).read_bytes() == one

    def test_gzip_says_neither_name_nor_time(self, tmp_path):
        path = write_volume(tmp_path / "map.nii.gz", volume_image(np.zeros(GRID.shape), GRID))
        header = path.read_bytes()[:10]
        assert header[3] & 8 == 0
        assert header[4:8] == b"\0\0\0\0"
        assert len(gzip.decompress(path.read_bytes())) == 352 + 24 * 4

    @pytest.mark.parametrize("codes", [(4, 1), (1, 4), (2, 0), (3, 3)])
    def test_codes_are_kept(self, tmp_path, codes):
        image = volume_image(
            np.zeros(GRID.shape), Grid.whole(np.diag([2.0, 2, 3, 1]), GRID.shape), codes=codes
        )
        header = nib.load(write_volume(tmp_path / "map.nii.gz", image)).header
        assert (int(header["sform_code"]), int(header["qform_code"])) == codes
        np.testing.assert_allclose(header.get_sform(), np.diag([2.0, 2, 3, 1]))

    @pytest.mark.parametrize(("codes", "sform"), [((0, 1), 2), ((0, 0), 0), ((4, 0), 4)])
    def test_an_image_without_an_sform_gets_one_where_its_place_is_known(self, codes, sform):
        header = volume_image(np.zeros(GRID.shape), GRID, codes=codes).header
        assert (int(header["sform_code"]), int(header["qform_code"])) == (sform, codes[1])

    @pytest.mark.parametrize(
        ("intent", "parameters", "code"),
        [("correlation", (42.0,), 2), ("z score", (), 5), ("p value", (), 22), ("none", (), 0)],
    )
    def test_intent_and_description_are_kept(self, tmp_path, intent, parameters, code):
        kind = MapKind(intent, parameters, "Pearson r, with an ü, " + "x" * 100)
        path = tmp_path / "map.nii.gz"
        write_volume(path, volume_image(np.zeros(GRID.shape), GRID, kind=kind))
        header = nib.load(path).header
        assert header.get_intent()[0] == intent
        assert header.get_intent()[1] == parameters
        assert int(header["intent_code"]) == code
        text = bytes(header["descrip"]).rstrip(b"\0")
        assert text.startswith(b"Pearson r, with an ?, xxx")
        assert len(text) == 79

    def test_units_are_said(self):
        still = volume_image(np.zeros(GRID.shape), GRID).header
        moving = volume_image(np.zeros((*GRID.shape, 5)), GRID, t_r=1.5).header
        assert still.get_xyzt_units() == ("mm", "unknown")
        assert moving.get_xyzt_units() == ("mm", "sec")
        assert moving.get_zooms()[3] == 1.5

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
    def test_whole_numbers_stay_whole(self, dtype):
        image = volume_image(np.ones(GRID.shape, dtype), GRID)
        assert image.get_data_dtype() == dtype


def test_links_are_added_to_our_own_description_and_to_no_other(tmp_path):
    ours = {"GeneratedBy": [{"Name": "seedmap"}], "Name": "mine", "DatasetLinks": {"a": "../a"}}
    for there, wanted in (
        (ours, ours | {"DatasetLinks": {"a": "../a", "b": "../b"}}),
        ({"Name": "theirs"}, {"Name": "theirs"}),
        ([1], [1]),
    ):
        path = tmp_path / "dataset_description.json"
        path.write_text(json.dumps(there))
        with staged_folder(tmp_path) as stage:
            fresh = {"DatasetLinks": {"a": "../other", "b": "../b"}}
            (stage / "dataset_description.json").write_text(json.dumps(fresh))
        assert json.loads(path.read_text()) == wanted
