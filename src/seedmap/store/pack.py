"""A pack: the stored runs of a whole study in arrays that lie voxel by voxel.

A map over people needs the coordinates of all runs at each sample. Run after run, they are all over
the disk; here those of one sample lie together, so that a map of the whole brain is one pass over
memory, and the samples of a slice are read alone. Coordinates are whole numbers of 16 bits on a
scale of their own: of the 17 to 20 bits of a stored run those that change a correlation by more
than 2e-5. Where memory is short, smoothed samples have 8 bits, which change one by up to .01. Runs with
fewer coordinates have zeros behind theirs.

Written a few samples at a time, each array once from start to end, whatever the size of the study: see
docs/decisions/0010-a-group-is-a-pack.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import NOTHING_LEFT
from seedmap.errors import ImageError
from seedmap.images import Space
from seedmap.store.arrays import ArrayWriter, Group, GroupWriter, open_group, read_head
from seedmap.store.reading import StoredRun
from seedmap.store.spaces import describe_space, recover_space

__all__ = ["Pack", "PackedRun", "open_pack", "pack_bytes", "write_pack"]

FORMAT = 1
KIND = "seedmap pack"
# Products of so many numbers are worked out fastest.
MULTIPLE = 16
# Bytes of one array that are put together before they are written.
BUFFER = 48 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PackedRun:
    """A run in a pack.

    Attributes
    ----------
    name : str
        Of the folder of the stored run.
    content : str
        The digest of its numbers, see `StoredRun.content`.
    person : str
        Label of the participant, without ``sub-``.
    coordinates : int
        How many it has.
    rank : int
        Directions that the cleaning leaves.
    frames : int
        Frames that stayed.
    """

    name: str
    content: str
    person: str
    coordinates: int
    rank: int
    frames: int


@dataclass(frozen=True, eq=False)
class Pack:
    """The runs of a study; the large arrays are mapped into memory.

    Attributes
    ----------
    path : Path
        The Zarr group.
    space : Grid, Mesh or Grayordinates
        With the samples that any run has.
    runs : tuple of PackedRun
        The runs, those of one participant one after another.
    smooth : ndarray of int16 or int8, shape (samples, runs, coordinates)
        Smoothed samples; of unit norm when multiplied by their scale.
    smooth_scale : ndarray of float32, shape (samples, runs)
        0 where a run lacks the sample, or it is constant or not finite.
    plain, plain_scale : ndarray
        The same not smoothed, of which seeds are the mean, and not of unit norm.
    has : ndarray of bool, shape (samples, runs)
        Whether a sample can be part of a seed: in the run's mask, and finite.
    noise : ndarray of int16, shape (samples, runs, lags), or None
        Noise autocovariance of each sample on a scale of its own; None where no participant has
        several runs.
    facts : dict
        What the writer wanted to be known.
    """

    path: Path
    space: Space
    runs: tuple[PackedRun, ...]
    smooth: NDArray[np.int16] | NDArray[np.int8]
    smooth_scale: NDArray[np.float32]
    plain: NDArray[np.int16]
    plain_scale: NDArray[np.float32]
    has: NDArray[np.bool_]
    noise: NDArray[np.int16] | None
    facts: Mapping[str, Any]
    group: Group = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes that a map over people reads."""
        return self.smooth.nbytes + self.smooth_scale.nbytes

    def check(self, progress: Progress | None = None) -> None:
        """Read all of it from start to end, and keep nothing.

        Raises
        ------
        ImageError
            If a byte is not what was written.
        """
        for number, array in enumerate(self.group.arrays.values(), 1):
            array.check()
            if progress is not None:
                progress(number, len(self.group.arrays))


def pack_bytes(runs: Sequence[StoredRun]) -> int:
    """Return about how many bytes a pack of runs takes on disk."""
    samples = int(np.any([run.space.mask for run in runs], axis=0).sum())
    return samples * len(runs) * (2 * (2 * _width(runs) + 4) + 1)


def write_pack(
    path: Path,
    runs: Sequence[StoredRun],
    people: Sequence[str],
    facts: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    narrow: bool = False,
) -> None:
    """Write the pack of some stored runs of one grid.

    Parameters
    ----------
    path
        The group; it must not exist. It is not whole until this returns: write it into a hidden
        folder and move that.
    runs
        The runs, those of one participant one after another.
    people
        The participant of each.
    facts
        What else should be known; JSON.
    progress
        Called as ``progress(done, total)``, in samples.
    narrow
        Whether smoothed samples have 8 bits and not 16.

    Raises
    ------
    ImageError
        If a run cannot be read.
    """
    space: Any = runs[0].space
    union = space.within(np.any([run.space.mask for run in runs], axis=0))
    several = len(set(people)) < len(people)
    sources = [_Source.of(run, union) for run in runs]
    described, arrays = describe_space(union)
    with GroupWriter(path) as group:
        writers = _arrays(group, union.n_samples, runs, noise=several, narrow=narrow)
        for part in _parts(union.n_samples, 2 * len(runs) * _width(runs)):
            _write_part(writers, sources, part)
            if progress is not None:
                progress(part.stop, union.n_samples)
        group.add(arrays)
        listed = [_about(run, person) for run, person in zip(runs, people, strict=True)]
        known = {"kind": KIND, "format": FORMAT, "space": described}
        group.finish({**known, "runs": [asdict(one) for one in listed], "facts": dict(facts)})


def open_pack(path: Path) -> Pack:
    """Open a pack; its large arrays are mapped and not read, see `Pack.check`.

    Raises
    ------
    ImageError
        If it is no pack, of another version, or damaged.
    """
    try:
        head = read_head(path)
        if head.get("kind") != KIND or head["format"] != FORMAT:
            msg = f"{path}: not a pack of format {FORMAT}; write it again"
            raise ImageError(msg)
        group = open_group(path, head)
        arrays = group.arrays
        return Pack(
            path=path,
            space=recover_space(group.facts["space"], group.whole),
            runs=tuple(PackedRun(**run) for run in group.facts["runs"]),
            smooth=arrays["smooth"].mapped(),
            smooth_scale=group.whole("smooth_scale"),
            plain=arrays["plain"].mapped(),
            plain_scale=arrays["plain_scale"].mapped(),
            has=group.whole("has"),
            noise=arrays["noise"].mapped() if "noise" in arrays else None,
            facts=group.facts["facts"],
            group=group,
        )
    except (KeyError, OSError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, ImageError):
            raise
        msg = f"{path}: not a pack ({type(error).__name__}: {error}); write it again"
        raise ImageError(msg) from error


@dataclass(frozen=True, eq=False)
class _Source:
    """A run, and which samples of the pack it has."""

    run: StoredRun
    there: NDArray[np.bool_]
    """Shape (samples of the pack,)."""
    before: NDArray[np.int64]
    """How many of its own samples stand before each sample of the pack, and all of them last."""
    finite: NDArray[np.bool_]
    """Shape (samples of the run,)."""

    @classmethod
    def of(cls, run: StoredRun, space: Space) -> "_Source":
        there = run.space.mask[space.mask]
        before = np.concatenate([[0], np.cumsum(there)])
        return cls(run, there, before, ~run.group.whole("unusable"))

    def own(self, part: slice) -> slice:
        """Return its own samples in a part of the pack."""
        return slice(int(self.before[part.start]), int(self.before[part.stop]))


def _width(runs: Sequence[StoredRun]) -> int:
    """Return the coordinates of a pack, some of which are zeros behind a run's own."""
    most = max(run.group.arrays["smooth"].shape[1] for run in runs)
    return -(-most // MULTIPLE) * MULTIPLE


def _about(run: StoredRun, person: str) -> PackedRun:
    coordinates = run.group.arrays["smooth"].shape[1]
    return PackedRun(run.path.name, run.content, person, coordinates, run.rank, int(run.keep.sum()))


def _parts(samples: int, bytes_of_sample: int) -> Iterator[slice]:
    size = max(1, BUFFER // bytes_of_sample)
    for start in range(0, samples, size):
        yield slice(start, min(start + size, samples))


def _arrays(
    group: GroupWriter, samples: int, runs: Sequence[StoredRun], *, noise: bool, narrow: bool
) -> dict[str, ArrayWriter]:
    """Begin the arrays that are written a few samples at a time."""
    shape = (samples, len(runs))
    kinds: dict[str, tuple[Any, tuple[int, ...]]] = {
        "smooth": (np.int8 if narrow else np.int16, (*shape, _width(runs))),
        "smooth_scale": (np.float32, shape),
        "plain": (np.int16, (*shape, _width(runs))),
        "plain_scale": (np.float32, shape),
        "has": (np.bool_, shape),
    }
    if noise:
        lags = max(run.group.arrays["noise"].shape[1] for run in runs)
        kinds["noise"] = (np.int16, (*shape, lags))
    return {name: group.array(name, kind, size) for name, (kind, size) in kinds.items()}


def _write_part(
    writers: Mapping[str, ArrayWriter], sources: Sequence[_Source], part: slice
) -> None:
    """Write some samples of all runs."""
    count = part.stop - part.start
    for name, writer in writers.items():
        if name.endswith("_scale"):
            continue  # comes with its numbers
        rows = np.zeros((count, *writer.shape[1:]), writer.dtype)
        scales = np.zeros((count, len(sources)), np.float32)
        for number, source in enumerate(sources):
            here, own = source.there[part], source.own(part)
            if name in ("smooth", "plain"):
                values, scale = _numbers(source, name, own, writer.dtype)
                rows[here, number, : values.shape[1]] = values
                scales[here, number] = scale
            elif name == "noise":
                noise = source.run.group.arrays["noise"][own]
                rows[here, number, : noise.shape[1]] = noise
            else:
                rows[here, number] = source.finite[own]
        writer.write(rows)
        if f"{name}_scale" in writers:
            writers[f"{name}_scale"].write(scales)


def _numbers(
    source: _Source, name: str, own: slice, kind: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the whole numbers of a run's samples, and their scale: 0 where nothing is left."""
    packed = source.run.packed(name)
    numbers = packed.numbers(own)
    scale: NDArray[np.float32] = packed.scale[own]
    sound = np.isfinite(scale)
    if name == "plain":
        size = np.abs(scale) * np.sqrt(np.einsum("vk,vk->v", numbers, numbers))
        with np.errstate(invalid="ignore"):
            sound &= source.finite[own]
            sound &= size > NOTHING_LEFT * source.run.group.arrays["noise_size"][own]
    step = np.float32(np.iinfo(np.int16).max / np.iinfo(kind).max)
    np.rint(numbers / step, out=numbers)
    return numbers.astype(kind), np.where(sound, scale * step, np.float32(0))
