"""Bad input: exit code 2, one line that helps, and nothing left behind."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pytest

SEED = ("--seed", "PCC=0,-52,18")


class Case(NamedTuple):
    """One wrong input: how it is made, and the words that the line must hold."""

    make: Callable[[Any], list[object]]
    words: tuple[str, ...]


class Scene(NamedTuple):
    """What a case can use: the phantom, a folder, and a maker of images."""

    phantom: Any
    folder: Path
    save: Any

    @property
    def bold(self) -> Path:
        return self.phantom.func[0]

    @property
    def rows(self) -> list[str]:
        return self.phantom.confounds[0].read_text().splitlines()

    def text(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def table(self, name: str, rows: list[str]) -> list[object]:
        return [self.bold, *SEED, "--confounds", self.text(name, "\n".join(rows) + "\n")]

    def damaged(self, name: str, change: Callable[[bytearray], bytes]) -> list[object]:
        path = self.folder / name
        path.write_bytes(change(bytearray(self.bold.read_bytes())))
        return [path, *SEED]

    def mask(self, name: str, values: Any = None, shift: float = 0.0) -> list[object]:
        image = nib.load(self.phantom.masks[0])
        values = np.asarray(image.dataobj) if values is None else values
        affine = image.affine.copy()
        affine[0, 3] += shift
        return [self.bold, *SEED, "--mask-img", self.save(name, values, affine=affine)]


def flipped(content: bytearray) -> bytes:
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def option(*words: object) -> Callable[[Scene], list[object]]:
    """Add words to a command line that is right without them."""
    return lambda s: [s.bold, *SEED, *words]


def without_first(row: str) -> str:
    return "n/a" + row[row.find("\t") :]


def zeros(scene: Scene) -> Path:
    return scene.save("zero.nii.gz", np.zeros_like(scene.save.data))


# The folder of results is always named last; see `test_bad_input`.
CASES = {
    # the image
    "missing file": Case(
        lambda s: [s.folder / "nope.nii.gz", *SEED], ("nope.nii.gz", "is not there", "check")
    ),
    "a folder": Case(lambda s: [s.folder, *SEED], ("is a folder", "check the path")),
    "not NIfTI": Case(
        lambda s: [s.text("text.nii", "hello"), *SEED],
        ("text.nii", "not an image", "NIfTI file is wanted"),
    ),
    "not NIfTI, .gz": Case(
        lambda s: [s.text("text.nii.gz", "hello"), *SEED],
        ("text.nii.gz", "not a gzip file", "NIfTI file is wanted"),
    ),
    "empty file": Case(
        lambda s: [s.text("empty.nii.gz", ""), *SEED], ("empty.nii.gz", "Empty file", "is wanted")
    ),
    "half of the bytes": Case(
        lambda s: s.damaged("half.nii.gz", lambda c: bytes(c[: len(c) // 2])),
        ("half.nii.gz", "bytes of image can be read", "are wanted", "copy it again"),
    ),
    "half of the bytes, .nii": Case(
        lambda s: [half_of_plain(s), *SEED],
        ("half.nii", "bytes of image can be read", "are wanted", "copy it again"),
    ),
    "damaged bytes": Case(
        lambda s: s.damaged("flipped.nii.gz", flipped), ("flipped.nii.gz", "damaged", "copy")
    ),
    "3-D image": Case(
        lambda s: [s.save("volume.nii.gz", s.save.data[..., 0]), *SEED],
        ("volume.nii.gz", "3 dimensions", "a run has 4", "single volume?"),
    ),
    "complex numbers": Case(
        lambda s: [s.save("complex.nii", s.save.data.astype(np.complex64)), *SEED],
        ("complex.nii", "complex64", "real numbers are wanted"),
    ),
    "all zero": Case(
        lambda s: [zeros(s), *SEED], ("zero.nii.gz", "mask is empty", "all zero?", "give a mask")
    ),
    "all zero, with a mask": Case(
        lambda s: [zeros(s), *SEED, "--mask", s.phantom.masks[0]],
        ("zero.nii.gz", "changes over time", "a series was wanted", "Check it"),
    ),
    # confounds and censoring
    "confounds not there": Case(
        option("--confounds", "nope.tsv"), ("nope.tsv", "is not there", "check the path")
    ),
    "confounds of wrong length": Case(
        lambda s: s.table("short.tsv", s.rows[:-3]),
        ("short.tsv", "97 rows", "100 frames", "give one row a frame"),
    ),
    "confounds with text": Case(
        lambda s: s.table("text.tsv", [f"{s.rows[0]}\tnote", *(f"{r}\tok" for r in s.rows[1:])]),
        ("text.tsv", "'note'", "'ok'", "numbers (or n/a) are wanted"),
    ),
    "confounds with a gap": Case(
        lambda s: s.table("gap.tsv", [*s.rows[:9], without_first(s.rows[9]), *s.rows[10:]]),
        ("gap.tsv", "'trans_x'", "row 9", "leave out the column"),
    ),
    "confounds that leave nothing": Case(
        lambda s: s.table("many.csv", many_columns(100)),
        ("bold.nii.gz", "directions", "100 frames", "nothing", "use fewer confounds"),
    ),
    "a column that is not there": Case(
        lambda s: [*s.table("own.tsv", s.rows), "--confound-columns", "nope*"],
        ("own.tsv", "'nope*'", "trans_x"),
    ),
    "a column that is not in the table beside the run": Case(
        option("--confound-columns", "nope*"), ("timeseries.tsv", "'nope*'", "there are")
    ),
    "sample mask not there": Case(
        option("--sample-mask", "keep.txt"), ("keep.txt", "sample mask is not there", "check")
    ),
    "sample mask of wrong length": Case(
        lambda s: [s.bold, *SEED, "--sample-mask", s.text("keep.txt", "1\n" * 99)],
        ("keep.txt", "99 values of 0 and 1 for 100 frames", "one boolean a frame"),
    ),
    "sample mask beyond the run": Case(
        lambda s: [s.bold, *SEED, "--sample-mask", s.text("keep.txt", "7\n100\n")],
        ("keep.txt", "frame 100", "0 to 99", "count frames from 0"),
    ),
    "sample mask that keeps nothing": Case(
        lambda s: [s.bold, *SEED, "--sample-mask", s.text("keep.txt", "0\n" * 100)],
        ("keep.txt", "keeps 0 of 100", "right way round"),
    ),
    # time
    "repetition time zero": Case(
        lambda s: [s.save("still.nii.gz", s.save.data, t_r=0), *SEED],
        ("still.nii.gz", "no repetition time", "needs it", "--t-r"),
    ),
    "repetition time zero, given": Case(option("--t-r", 0), ("--t-r 0", "seconds above 0")),
    "repetition time that is no number": Case(
        option("--t-r", "two"), ("--t-r two", "a number is wanted")
    ),
    "low-pass above Nyquist": Case(
        option("--low-pass", 0.3), ("--low-pass 0.3", "0 to 0.25 Hz", "Nyquist", "choose")
    ),
    "empty band": Case(
        option("--high-pass", 0.1, "--low-pass", 0.05),
        ("--high-pass 0.1 Hz", "not below --low-pass 0.05 Hz", "swap"),
    ),
    "negative edge": Case(option("--high-pass", -1), ("--high-pass -1", "above 0")),
    "too few volumes": Case(
        lambda s: [s.save("short.nii.gz", s.save.data[..., :33]), *SEED],
        ("short.nii.gz", "33 frames", "at least 34", "longer run"),
    ),
    # seeds and masks
    "seed outside the image": Case(
        lambda s: [s.bold, "--seed", "PCC=0,-520,18"],
        ("'PCC'", "(0, -520, 18)", "spans -98 to 94", "in millimetres?"),
    ),
    "seed outside the brain": Case(
        lambda s: [s.bold, "--seed", "PCC=84,-120,80"],
        ("'PCC'", "none of its", "nearest sample is 7", "Are the coordinates"),
    ),
    "seed outside the background mask": Case(
        lambda s: [s.bold, "--seed", "PCC=84,-120,80", "--mask", "background"],
        ("'PCC'", "none of its", "mm from its centre", "Are the coordinates"),
    ),
    "seed that cannot be read": Case(
        lambda s: [s.bold, "--seed", "PCC=0,-52"], ("'PCC'", "not three numbers", "as in PCC=0,-52")
    ),
    "seed without a place": Case(
        lambda s: [s.bold, "--seed", "PCC"], ("'PCC'", "cannot be read", "write name=x,y,z")
    ),
    "two seeds of one name": Case(
        option("--seed", "P-CC=0,-50,18"), ("'PCC'", "'P-CC'", "give them names that differ")
    ),
    "seed image not there": Case(
        option("--seed", "lesion=nope.nii.gz"), ("nope.nii.gz", "'lesion'", "is not there")
    ),
    "region not in the atlas": Case(
        lambda s: [s.bold, "--seed", f"x={s.phantom.atlas}#77"], ("'x'", "no region 77", "it holds")
    ),
    "region of unknown name": Case(
        lambda s: [s.bold, "--seed", f"x={s.phantom.atlas}#PC"], ("'PC'", "near are PCC")
    ),
    "no seed": Case(lambda s: [s.bold], ("--seed is missing", "run --help")),
    "negative radius": Case(option("--radius", -3), ("--radius -3", "give 0 or more")),
    "negative smoothing": Case(
        option("--smoothing-fwhm", -3), ("--smoothing-fwhm -3", "0 or more")
    ),
    "mask with another affine": Case(
        lambda s: s.mask("shifted.nii.gz", shift=3.0),
        ("shifted.nii.gz", "-95 in row 1", "-98", "resample it"),
    ),
    "mask with another shape": Case(
        lambda s: s.mask("cut.nii.gz", np.ones((16, 20, 17), np.uint8)),
        ("cut.nii.gz", "(16, 20, 17)", "(17, 20, 17)", "resample it"),
    ),
    "empty mask": Case(
        lambda s: s.mask("empty.nii.gz", np.zeros((17, 20, 17), np.uint8)),
        ("empty.nii.gz", "mask is empty", "1 in the brain"),
    ),
    "mask not there": Case(option("--mask", "brain"), ("brain", "mask is not there", "check")),
    # the command line
    "unknown option": Case(
        option("--smoothing", 6), ("--smoothing", "--smoothing-fwhm", "seedmap run --help")
    ),
    "unknown value": Case(
        option("--filter", "boxcar"), ("--filter boxcar", "butterworth", "run --help")
    ),
    "unknown uncertainty": Case(
        option("--uncertainty", "sure"), ("--uncertainty sure", "operator")
    ),
    "two runs": Case(
        lambda s: [s.bold, "another.nii.gz", *SEED], ("another.nii.gz", "seedmap run --help")
    ),
    "no threads": Case(option("--n-jobs", 0), ("--n-jobs 0", "-1 for all")),
    "threshold above 1": Case(option("--threshold", 2), ("--threshold 2", "0 to below 1")),
}


def many_columns(frames: int) -> list[str]:
    noise = np.random.default_rng(1).normal(size=(frames, frames))
    return [",".join(f"{value:.6f}" for value in row) for row in noise]


def half_of_plain(scene: Scene) -> Path:
    path = scene.save("half.nii", scene.save.data)
    os.truncate(path, path.stat().st_size // 2)
    return path


@pytest.fixture
def scene(phantom, tmp_path, save):
    return Scene(phantom, tmp_path, save)


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name, scene, call, tmp_path):
    arguments = CASES[name].make(scene)
    before = sorted(tmp_path.rglob("*"))
    done = call("run", *arguments, "--out", tmp_path / "deep" / "results")
    lines = [line for line in done.err.splitlines() if not line.startswith("seedmap: note: ")]
    assert done.code == 2
    assert len(lines) == 1
    assert lines[0].startswith("seedmap: ")
    assert "Written" not in done.out
    for word in CASES[name].words:
        assert word in lines[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_verb(call):
    done = call("rnu", "run.nii.gz")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "rnu" in done.err
    assert "near: run)" in done.err


@pytest.mark.full
@pytest.mark.parametrize(
    "name", ["missing file", "half of the bytes", "mask with another affine", "unknown option"]
)
def test_bad_input_of_a_process(name, scene, process, tmp_path):
    done = process("run", *CASES[name].make(scene), "--out", tmp_path / "results")
    assert done.code == 2
    assert "Written" not in done.out
    lines = [line for line in done.err.splitlines() if not line.startswith("seedmap: note: ")]
    assert len(lines) == 1
    assert all(word in done.err for word in CASES[name].words)
    assert not (tmp_path / "results").exists()


# ---- what is no error ------------------------------------------------------------------------


def test_repetition_time_zero_without_filter(call, save, tmp_path):
    still = save("still.nii.gz", save.data, t_r=0)
    done = call("run", still, *SEED, "--filter", "none", "--no-figures", "--out", tmp_path / "r")
    assert done.code == 0
    assert "100 of 100 frames" in done.out
    assert "repetition time" not in done.out


def test_repetition_time_one_warns(call, save, tmp_path):
    run = save("one.nii.gz", save.data, t_r=1)
    words = ["--no-figures", "--uncertainty", "none", "--strategy", "none", "--out", tmp_path / "r"]
    done = call("run", run, *SEED, *words)
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "one.nii.gz: the header says a repetition time of exactly 1 s" in done.err
    assert done.err.endswith("if it is wrong, give --t-r\n")
    assert call("run", run, *SEED, "--t-r", 1, *words).err == ""
    (tmp_path / "one.json").write_text('{"RepetitionTime": 1.0}')
    assert call("run", run, *SEED, *words).err == ""


def test_json_against_header_warns(call, save, tmp_path):
    run = save("run.nii.gz", save.data, t_r=2)
    (tmp_path / "run.json").write_text('{"RepetitionTime": 3.0}')
    done = call("run", run, *SEED, "--no-figures", "--out", tmp_path / "r")
    assert done.code == 0
    assert (
        "run.nii.gz: repetition times disagree: the JSON beside the run says 3 s, the header says 2 s"
        in (done.err)
    )
    assert "repetition time 3 s (json)" in done.out


def test_voxels_not_finite_are_counted(call, save, tmp_path):
    values = save.data.copy()
    values[8, 8, 8, 3], values[7, 7, 7, 4], values[6, 6, 6] = np.nan, np.inf, np.nan
    run = save("holes.nii.gz", values)
    done = call("run", run, *SEED, "--no-figures", "--out", tmp_path / "r")
    assert done.code == 0
    assert "0 voxels are constant, 3 not finite: NaN in the maps" in done.out
    r = nib.load(tmp_path / "r" / "holes_seed-PCC_stat-r_statmap.nii.gz").get_fdata()
    assert np.isnan(r[[8, 7, 6], [8, 7, 6], [8, 7, 6]]).all()
    assert np.isnan(r).sum() == 3


def test_n_a_in_the_first_row_is_said(call, scene, tmp_path):
    rows = scene.rows
    rows[1] = without_first(rows[1])
    done = call(
        "run", *scene.table("first.tsv", rows), "--no-figures", "--uncertainty", "none",
        "--out", tmp_path / "r",
    )  # fmt: skip
    assert done.code == 0
    assert "no value in the first row of trans_x; the second row's was taken" in done.err


def test_bytes_after_the_end_are_said(call, bold, tmp_path):
    run = tmp_path / "tail.nii.gz"
    run.write_bytes(bold.read_bytes() + b"not gzip")
    words = ["--t-r", 2, "--uncertainty", "none", "--no-figures"]
    done = call("run", run, *SEED, *words, "--out", tmp_path / "r")
    assert done.code == 0
    assert "the image is whole, but" in done.err
