"""A study of phantoms: many participants in the layout of fMRIPrep, with faults on request."""

import os
from dataclasses import dataclass
from pathlib import Path

from seedmap.datasets.phantom import Phantom, make_phantom
from seedmap.errors import OptionError

__all__ = ["Study", "make_study"]

# A truncated file keeps this share of its bytes.
KEPT = 0.6


@dataclass(frozen=True, eq=False)
class Study:
    """A study that was made here.

    Attributes
    ----------
    folder : Path
        The data set.
    phantom : Phantom
        What was planted, and the files of every run.
    broken, incomplete : str
        Label of the participant whose image is truncated, and of the one without confounds; empty
        where there is none.
    """

    folder: Path
    phantom: Phantom
    broken: str = ""
    incomplete: str = ""


def make_study(
    folder: str | Path,
    participants: int = 12,
    *,
    faults: bool = False,
    voxel_size: float = 4.0,
    n_frames: int = 168,
    rng: int = 0,
) -> Study:
    """Make a study of phantoms, each moving and correlating in its own way.

    Parameters
    ----------
    folder
        Where to write; made if need be.
    participants
        How many.
    faults
        Let the last participant's image be truncated, and the last but one's confounds missing.
    voxel_size, n_frames, rng
        See `make_phantom`.

    Raises
    ------
    OptionError
        If there are fewer than 3 participants and faults are asked for.
    OutputError
        If the files cannot be written.
    """
    if faults and participants < 3:
        msg = f"{participants} participants; faults take two of them; give 3 or more"
        raise OptionError(msg)
    folder = Path(folder)
    phantom = make_phantom(
        folder,
        n_subjects=participants,
        layout="bids",
        voxel_size=voxel_size,
        n_frames=n_frames,
        rng=rng,
    )
    if not faults:
        return Study(folder, phantom)
    broken, incomplete = phantom.func[-1], phantom.confounds[-2]
    os.truncate(broken, int(broken.stat().st_size * KEPT))
    incomplete.unlink()
    incomplete.with_suffix(".json").unlink()
    return Study(folder, phantom, _label(broken), _label(incomplete))


def _label(path: Path) -> str:
    return path.name.split("_")[0].removeprefix("sub-")
