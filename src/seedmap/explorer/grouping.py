"""From a study to the session of its explorer: who is shown, who is kept back, and the model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seedmap.analysis import Limits
from seedmap.bids import in_mni_space
from seedmap.errors import SeedmapError
from seedmap.explorer.command import GroupCommand
from seedmap.explorer.cortex import is_standard
from seedmap.explorer.engine.group import LiveGroup
from seedmap.explorer.engine.model import GroupModel
from seedmap.explorer.engine.shown import check_shown
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.session import PCC
from seedmap.group import Question
from seedmap.group.halves import kept_back_of
from seedmap.group.packs import StudyPack
from seedmap.group.people import Choice, Member
from seedmap.group.stored import find_runs
from seedmap.group.tables import read_people
from seedmap.seeds import Sphere, VertexPatch
from seedmap.store import open_stored

__all__ = ["begin_group", "choose_half"]


def choose_half(
    root: Path, choice: Choice, question: Question, design: Path | None
) -> frozenset[str]:
    """Choose the half of a study's people who are kept back; nothing of their runs but names is read.

    Raises
    ------
    SeedmapError
        If there are no runs, or model and table do not fit.
    """
    runs, _ = find_runs(root, choice)
    frames = dict.fromkeys(runs, 0.0)
    return kept_back_of(_model(frames, question, design).all, root)


def _model(frames: Mapping[str, float], question: Question, design: Path | None) -> GroupModel:
    members = [Member(label, (), {"frames_kept": count}) for label, count in frames.items()]
    return GroupModel(members, question, None if design is None else read_people(design))


def begin_group(  # noqa: PLR0913  one argument a decision
    root: Path,
    study: StudyPack,
    choice: Choice,
    question: Question,
    *,
    design: Path | None = None,
    out: Path | str = "seedmap-results",
    anatomy: Any = None,
    atlas: Any = None,
    start: Sphere | VertexPatch | None = None,
    n_jobs: int | None = None,
    held: frozenset[str] = frozenset(),
) -> GroupSession:
    """Gather what the page of a group shows.

    Parameters
    ----------
    root
        Folder of results.
    study, choice
        Its runs in a pack, and which of its runs that are.
    question
        The model and its contrasts; the mean if none is given.
    design
        Table of participants.
    out
        The only folder that is ever written to.
    anatomy, atlas, start
        See `begin_session`.
    n_jobs
        Threads; all cores if None.
    held
        People who are kept back; the pack does not have them.

    Raises
    ------
    SeedmapError
        If model, table and people do not fit together, or it is not known where vertices lie.
    """
    pack = study.pack
    check_shown(root, pack.space)
    asked = replace(question, contrasts=question.contrasts or ("mean",))
    frames: dict[str, float] = {}
    for run in pack.runs:
        frames[run.person] = frames.get(run.person, 0.0) + run.frames
    model = _model(frames, asked, design)
    needed = len(frames) < len(pack.runs) or asked.estimator == "weighted"
    stored = [open_stored(path) for path in study.paths] if needed else []
    file = str(pack.facts["file"])
    mni = in_mni_space(file, pack.facts["codes"] or ()) or is_standard(file)
    session = GroupSession(
        live=LiveGroup(pack, model, stored, Limits(n_jobs=n_jobs).threads),
        root=root,
        choice=choice,
        out=Path(out).expanduser().absolute(),
        command=GroupCommand(
            str(root), asked, "" if design is None else str(design), _chosen(choice)
        ),
        start=start or (PCC if mni else None),
        held=held,
    )
    session.furnish(anatomy, atlas, pack.space, mni=mni)
    session.begin()
    _fit_group(session)
    return session


def _chosen(choice: Choice) -> tuple[str, ...]:
    """Spell the choice of runs."""
    flags = {"task": "--task-id", "ses": "--session-id"}
    words = ["--strategy", choice.strategy] if choice.strategy else []
    for key, value in choice.entities.items():
        words += [flags.get(key, f"--{key}"), value]
    return tuple(words)


def _fit_group(session: GroupSession) -> None:
    """Begin in the middle of the brain where nobody has the usual place."""
    if session.start is None:
        return
    try:
        session.live.maps(session.start, which=np.zeros(1, np.int64))
    except SeedmapError:
        session.start = None
