"""The runs that are measured: phantoms of several sizes, made once and kept in a folder.

Run as a script it makes one of them, in a process of its own, so that the memory that takes is not
counted for anybody else::

    python benchmarks/harness/data.py FOLDER NAME
"""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

HEADER_BYTES = 352
# Where a NIfTI-1 header holds the number of frames, the type, the bits and slope and intercept.
FRAMES_AT, TYPE_AT, BITS_AT, SLOPE_AT = 48, 70, 72, 112
FLOAT32 = (16, 32)
LONG_FRAMES = 1200


@dataclass(frozen=True)
class Case:
    """One run to measure."""

    name: str
    title: str
    bold: str
    confounds: str
    mask: str
    frames: int
    frame_bytes: int


# Voxel size [mm], frames and type of what `make_phantom` makes.
PHANTOMS = {
    "tiny": (12.0, 60, "float32"),
    "tiny-120": (12.0, 120, "float32"),
    "8mm-60": (8.0, 60, "float32"),
    "4mm": (4.0, 168, "float32"),
    "2mm": (2.0, 300, "int16"),
    **{f"4mm-{frames}": (4.0, frames, "float32") for frames in (84, 336, 672)},
    **{f"{size:g}mm-168": (size, 168, "float32") for size in (8.0, 6.0, 3.0, 2.0)},
}
LARGE = "2mm-1200"
TITLES = {
    "tiny": "12 mm, 60 volumes",
    "4mm": "4 mm, 168 volumes, float32",
    "2mm": "2 mm, 300 volumes, int16 with a slope",
    LARGE: "2 mm, 1200 volumes, float32",
}


def make(folder: Path, name: str) -> Case:
    """Make a run, unless it is there already, and say what it is."""
    place = folder.resolve() / name
    note = place / "case.json"
    if not note.is_file():
        shutil.rmtree(place, ignore_errors=True)
        case = _make_long(folder, place) if name == LARGE else _make_phantom(place, name)
        note.write_text(json.dumps(asdict(case), indent=1))
    return Case(**json.loads(note.read_text()))


def _make_phantom(place: Path, name: str) -> Case:
    import numpy as np

    import seedmap as sm

    size, frames, dtype = PHANTOMS[name]
    made = sm.datasets.make_phantom(place, voxel_size=size, n_frames=frames, dtype=dtype)
    if dtype == "int16":
        _give_slope(made.func[0], np.float32(0.5))
    return _case(name, made.func[0], made.confounds[0], made.masks[0])


def _give_slope(path: Path, slope: "object") -> None:
    """Write the file again with a slope in its header; the stored integers stay as they are."""
    import numpy as np
    from isal import igzip

    new = path.with_suffix(".new")
    with igzip.open(path, "rb") as old, igzip.open(new, "wb", compresslevel=2) as file:
        header = bytearray(old.read(HEADER_BYTES))
        header[SLOPE_AT : SLOPE_AT + 8] = np.array([slope, 0], dtype="<f4").tobytes()
        file.write(header)
        shutil.copyfileobj(old, file, 1 << 20)
    new.replace(path)


def _make_long(folder: Path, place: Path) -> Case:
    """Play the 2 mm run forwards and backwards until there are 1200 volumes, one at a time."""
    import numpy as np
    from isal import igzip

    short = make(folder, "2mm")
    place.mkdir(parents=True)
    bold = place / Path(short.bold).name
    with igzip.open(short.bold, "rb") as old:
        header = bytearray(old.read(HEADER_BYTES))
    header[FRAMES_AT : FRAMES_AT + 2] = np.array(LONG_FRAMES, dtype="<i2").tobytes()
    for at, value in zip((TYPE_AT, BITS_AT), FLOAT32, strict=True):
        header[at : at + 2] = np.array(value, dtype="<i2").tobytes()
    header[SLOPE_AT : SLOPE_AT + 8] = np.array([1, 0], dtype="<f4").tobytes()
    flat = _inflated(short, place / "frames.tmp")
    with igzip.open(bold, "wb", compresslevel=2) as file:
        file.write(header)
        for turn, index in _turns(short.frames):
            frame = flat[index].astype(np.float32)
            frame[frame != 0] += np.float32(0.125 * turn)  # no volume comes twice
            file.write((frame * np.float32(0.5)).tobytes())
    (place / "frames.tmp").unlink()
    rows = Path(short.confounds).read_text().splitlines()
    confounds = place / Path(short.confounds).name
    confounds.write_text("\n".join([rows[0], *_jittered(rows[1:], short.frames), ""]))
    return _case(LARGE, bold, confounds, Path(short.mask))


def _inflated(case: Case, path: Path) -> "object":
    """Inflate a run's int16 volumes into a file and map it, shape (frames, voxels)."""
    import numpy as np
    from isal import igzip

    with igzip.open(case.bold, "rb") as old, path.open("wb") as file:
        old.read(HEADER_BYTES)
        shutil.copyfileobj(old, file, 1 << 20)
    return np.memmap(path, "<i2", "r", shape=(case.frames, case.frame_bytes // 2))


def _turns(frames: int) -> Iterator[tuple[int, int]]:
    for frame in range(LONG_FRAMES):
        turn, index = divmod(frame, frames)
        yield turn, frames - 1 - index if turn % 2 else index


def _jittered(rows: list[str], frames: int) -> Iterator[str]:
    """Repeat a table's rows as the volumes are repeated."""
    for _, index in _turns(frames):
        yield rows[index]


def _case(name: str, bold: Path, confounds: Path, mask: Path) -> Case:
    import nibabel as nib

    image = nib.load(bold)
    frame_bytes = image.get_data_dtype().itemsize
    for length in image.shape[:3]:
        frame_bytes *= length
    title = TITLES.get(name, name)
    return Case(
        name, title, str(bold), str(confounds), str(mask), int(image.shape[3]), int(frame_bytes)
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2])
