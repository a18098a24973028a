"""Whether a participant's work is done already: by the content of its inputs, and by the options."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from seedmap._version import __version__
from seedmap.bids import Participant
from seedmap.errors import OutputError
from seedmap.participants.ledger import (
    Entry,
    FileState,
    digest,
    read_entry,
    stage_of,
    state_of,
    write_entry,
)
from seedmap.participants.recipe import Recipe

__all__ = ["Result", "as_before", "earlier_result", "is_current", "new_entry"]

State = Literal["done", "failed", "unchanged"]
# Fields of a recipe that no number depends on.
IDLE = ("command", "root", "n_jobs")


@dataclass(frozen=True)
class Result:
    """How a participant's work ended.

    Attributes
    ----------
    participant : str
        The label.
    state : str
        ``"done"``; ``"failed"``, in whole or in part; or ``"unchanged"``: nothing was to be done.
    reason : str
        Why it failed.
    log : str
        The file with the traceback, relative to the output folder; empty if there is none.
    fatal : bool
        Whether the others would fail, too: the results cannot be written.
    seconds : float
        How long it took.
    files : int
        How many files it has.
    facts : dict
        What the study's page shows.
    """

    participant: str
    state: State
    reason: str = ""
    log: str = ""
    fatal: bool = False
    seconds: float = 0.0
    files: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


def is_current(recipe: Recipe, participant: Participant, out: Path) -> Result | None:
    """Say how a participant's work ended if nothing was touched since; None if it must be looked at.

    No file is read but the participant's entry in the ledger.
    """
    entry = read_entry(out, recipe.key(participant.label))
    if entry is None:
        return None
    known = {state.path: state for state in entry.inputs}
    states = []
    for path in participant.files:
        now = state_of(path, recipe.root)
        then = known.get(now.path)
        if then is None or not then.same_as(now):
            return None
        states.append(then)
    mark = fingerprint(recipe, participant, states)
    if entry.fingerprint == mark and not entry.is_untouched(out):
        return None
    return as_before(entry, participant.label, mark) if _still_holds(entry, mark, out) else None


def new_entry(recipe: Recipe, participant: Participant, out: Path) -> Entry:
    """Return the entry of work that is to be done: its inputs with their digests, no results.

    Only what was touched since the last call is read.
    """
    key = recipe.key(participant.label)
    states = _digested(recipe, participant, read_entry(out, key))
    return Entry(key, "done", fingerprint(recipe, participant, states), inputs=states)


def earlier_result(entry: Entry, label: str, out: Path, work: Path) -> Result | None:
    """Say how the same work ended in an earlier call; None if it must be done.

    Parameters
    ----------
    entry
        The work, as `new_entry` gives it.
    label
        The participant.
    out, work
        The folder for the study's results, and the hidden folder of this call.
    """
    before = read_entry(out, entry.participant)
    if before is None or not _still_holds(before, entry.fingerprint, out):
        return None
    _note_touched(before, entry.inputs, out, work)
    return as_before(before, label, entry.fingerprint)


def as_before(entry: Entry, label: str, mark: str) -> Result:
    """Say how a participant's work ended, from its entry; ``mark`` is its present fingerprint."""
    if entry.fingerprint != mark:  # done by a call before the last, with these options
        return Result(label, "unchanged", facts=entry.facts)
    state: State = "unchanged" if entry.state == "done" else "failed"
    return Result(
        label,
        state,
        entry.reason,
        log=_log_of(entry),
        files=len(entry.files),
        facts=entry.facts,
    )


def _still_holds(entry: Entry, mark: str, out: Path) -> bool:
    """Whether an earlier end of the work is what a new call would come to."""
    if entry.did_before(mark, out):
        return True
    if entry.fingerprint != mark or not entry.files_are_there(out):
        return False
    return entry.state == "done" or (entry.state == "failed" and entry.lasting)


def _log_of(entry: Entry) -> str:
    return next((f.path for f in entry.files if f.path.endswith("_error.txt")), "")


def _digested(
    recipe: Recipe, participant: Participant, before: Entry | None
) -> tuple[FileState, ...]:
    """Sum up the content of every input, reading only what was touched since the last call."""
    known = {state.path: state for state in before.inputs} if before else {}
    states = []
    for path in participant.files:
        now = state_of(path, recipe.root)
        then = known.get(now.path)
        untouched = then is not None and then.same_as(now)
        states.append(then if then and untouched else replace(now, digest=digest(path)))
    return tuple(states)


def _note_touched(before: Entry, states: tuple[FileState, ...], out: Path, work: Path) -> None:
    """Remember files that were touched and yet hold what they did, so as not to read them again."""
    inputs = {state.path: state for state in (*before.inputs, *states)}
    now = replace(before, inputs=tuple(inputs.values()))
    if before.files_are_there(out):
        now = now.noted(out)
    if now != before:
        # Where nothing can be written, they are read again by the next call.
        with suppress(OutputError), stage_of(work, before.participant) as stage:
            write_entry(out, now, stage)


def fingerprint(recipe: Recipe, participant: Participant, states: Iterable[FileState]) -> str:
    """Sum up all that shapes a participant's results: inputs' content, options and version."""
    options = {key: value for key, value in asdict(recipe).items() if key not in IDLE}
    options["seeds"] = [seed.facts() for seed in recipe.seeds]
    seed_files = sorted({recipe.atlas, *(seed.seed.source for seed in recipe.seeds)} - {""})
    facts = {
        "version": __version__,
        "options": options,
        "seed files": [
            [path, _digest_once(path, state_of(Path(path), recipe.root))] for path in seed_files
        ],
        "inputs": [[state.path, state.digest] for state in states],
        "runs": [[run.name, run.space, run.t_r] for run in participant.runs],
        "problems": participant.problems,
    }
    return hashlib.blake2b(json.dumps(facts, default=_plain).encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> str:
    return repr(value)


@lru_cache(maxsize=64)
def _digest_once(path: str, state: FileState) -> str:  # noqa: ARG001  part of the key
    """Digest a file that many participants share."""
    return digest(Path(path))
