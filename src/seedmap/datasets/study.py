"""A study of phantoms: many participants in the layout of fMRIPrep, with faults on request."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from seedmap.confounds import read_confounds
from seedmap.datasets.layout import write_text
from seedmap.datasets.phantom import Phantom, make_phantom
from seedmap.datasets.surface import PlantedRun, write_grayordinate_runs, write_surface_runs
from seedmap.errors import OptionError

__all__ = ["Output", "Study", "make_study"]

Output = Literal["volume", "surface", "cifti"]

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
        Label of the participant whose series is truncated, and of the one without confounds; empty
        where there is none.
    surfaces : dict of str to dict
        Where the vertices lie, by output (``"surface"``, ``"cifti"``) and hemisphere.
    atlases : dict
        The planted regions by output: ``.label.gii`` files by hemisphere, and a ``dlabel`` file.
    """

    folder: Path
    phantom: Phantom
    broken: str = ""
    incomplete: str = ""
    surfaces: dict[str, dict[str, Path]] = field(default_factory=dict)
    atlases: dict[str, Any] = field(default_factory=dict)


def make_study(  # noqa: PLR0913  all but two by keyword
    folder: str | Path,
    participants: int = 12,
    *,
    faults: bool = False,
    outputs: Sequence[Output] = ("volume",),
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
        Let the last participant's series be truncated, and the last but one's confounds missing.
    outputs
        The forms of each run: ``"volume"`` in MNI space, ``"surface"`` on fsaverage5, ``"cifti"``
        of 91,282 grayordinates (see `make_grayordinate_phantom`). All forms of a run have the same
        planted signals and confounds; only the volume is spoilt when the head jumps.
    voxel_size, n_frames, rng
        See `make_phantom`.

    Raises
    ------
    OptionError
        If there are fewer than 3 participants and faults are asked for, or no or an unknown output.
    OutputError
        If the files cannot be written.
    """
    if faults and participants < 3:
        msg = f"{participants} participants; faults take two of them; give 3 or more"
        raise OptionError(msg)
    unknown = set(outputs) - set(get_args(Output))
    if unknown or not outputs:
        found = ", ".join(sorted(unknown)) or "none"
        msg = f"outputs: {found}; choose of {', '.join(get_args(Output))}"
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
    study = _with_forms(folder, phantom, outputs, rng)
    return _with_faults(study, outputs) if faults else study


def _with_forms(folder: Path, phantom: Phantom, outputs: Sequence[Output], rng: int) -> Study:
    """Write the other forms of every run, and take the volumes away if they are not wanted."""
    study = Study(folder, phantom)
    if set(outputs) == {"volume"}:
        return study
    runs, random = _planted_runs(phantom), np.random.default_rng((rng, 1))
    if "surface" in outputs:
        made = write_surface_runs(folder, runs, random)
        study.surfaces["surface"], study.atlases["surface"] = made.surfaces, made.atlas
    if "cifti" in outputs:
        made = write_grayordinate_runs(folder, runs, random)
        study.surfaces["cifti"], study.atlases["cifti"] = made.surfaces, made.atlas
    write_text(folder / ".bidsignore", "planted*\nhemi-*\n")
    if "volume" not in outputs:
        for bold, mask in zip(phantom.func, phantom.masks, strict=True):
            for path in (bold, mask, bold.with_name(bold.name.replace(".nii.gz", ".json"))):
                path.unlink()
    return study


def _planted_runs(phantom: Phantom) -> list[PlantedRun]:
    """Collect what the forms of each run have in common."""
    runs = []
    for signals, path in zip(phantom.truth.signals, phantom.confounds, strict=True):
        table = read_confounds(path)
        assert table is not None
        columns = {
            name: np.nan_to_num(table.values[:, table.names.index(name)]).astype(np.float64)
            for name in phantom.truth.columns
        }
        entities = path.name.split("_desc-")[0]
        runs.append(PlantedRun(path.parent, entities, signals, columns, phantom.t_r))
    return runs


def _with_faults(study: Study, outputs: Sequence[Output]) -> Study:
    """Truncate a series of the last participant, and take the confounds of the last but one away."""
    last, incomplete = study.phantom.func[-1].parent, study.phantom.confounds[-2]
    ends = {"volume": "bold.nii.gz", "surface": "bold.func.gii", "cifti": "bold.dtseries.nii"}
    for output in outputs:
        broken = min(last.glob(f"*_{ends[output]}"))
        os.truncate(broken, int(broken.stat().st_size * KEPT))
    incomplete.unlink()
    incomplete.with_suffix(".json").unlink()
    return replace(study, broken=_label(last), incomplete=_label(incomplete.parent))


def _label(func: Path) -> str:
    return func.parent.name.removeprefix("sub-")
