"""One participant's work, from files to files: a plain function that any scheduler may call.

It knows no scheduler. What goes wrong is a value, not an exception: one participant's trouble
stops nobody else's work.
"""

import os
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seedmap.analysis import SeedMaps
from seedmap.bids import Participant, RunInputs, modern_name, source_stem, uri
from seedmap.errors import OutputError, SeedmapError, SeedmapWarning
from seedmap.images import Run
from seedmap.participants.combine import combine_maps, combined_words
from seedmap.participants.ledger import (
    RESULTS,
    Entry,
    commit,
    new_work_folder,
    put_text,
    read_entry,
    stage_of,
    write_entry,
)
from seedmap.participants.onerun import RunWork, StrategyWork, clean_run, open_work
from seedmap.participants.outputs import save_run, strategy_facts
from seedmap.participants.pages import probe, run_page, strategy_page
from seedmap.participants.recipe import FileState, Recipe, digest, fingerprint, state_of
from seedmap.participants.stored import FOLDER, keep_run, maps_from_store
from seedmap.report.participant import ParticipantPage, RunPage, render_participant

__all__ = ["Result", "is_current", "run_participant"]

State = Literal["done", "failed", "unchanged"]


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


@dataclass
class _Outcome:
    """What came of a participant's runs, gathered while they are worked on."""

    problems: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    lasting: bool = True
    runs: list[dict[str, Any]] = field(default_factory=list)
    maps: dict[str, list[tuple[RunInputs, SeedMaps]]] = field(default_factory=dict)
    pages: list[RunPage] = field(default_factory=list)
    combined: list[str] = field(default_factory=list)

    def failed(self, where: str, error: Exception, root: Path) -> None:
        """Note an error as a value; paths in it are relative to the data set."""
        self.lasting = self.lasting and isinstance(error, SeedmapError)
        text = _short(str(error), root)
        known = isinstance(error, SeedmapError)
        self.problems.append(text if known else f"{where}: {type(error).__name__}: {text}")
        self.tracebacks.append("".join(traceback.format_exception(error)))


def _short(text: str, root: Path) -> str:
    """Write a message on one line, paths relative to the data set."""
    return " ".join(text.split()).replace(f"{root}{os.sep}", "")


def run_participant(
    recipe: Recipe, participant: Participant, out: Path, work: Path | None = None
) -> Result:
    """Make one participant's maps, unless they are there and nothing has changed.

    Parameters
    ----------
    recipe
        What to do.
    participant
        The runs.
    out
        The folder for the study's results.
    work
        The hidden folder of this call, in ``out``; None makes one.

    Returns
    -------
    Result
        Also where it failed; nothing is raised but what stops a program.
    """
    started, label = time.perf_counter(), participant.label
    try:
        before = read_entry(out, recipe.key(label))
        states = _digested(recipe, participant, before)
        mark = fingerprint(recipe, participant, states)
        work = work or new_work_folder(out)
        if before is not None and _still_holds(before, mark, out):
            _note_touched(before, states, out, work)
            result = _as_before(before, label, mark)
        else:
            blank = Entry(recipe.key(label), "done", mark, inputs=states)
            result = _fresh(recipe, participant, out, work, blank)
    except OutputError as error:
        result = Result(label, "failed", " ".join(str(error).split()), fatal=True)
    except Exception as error:  # noqa: BLE001  a failure is a value here
        result = Result(label, "failed", f"{type(error).__name__}: {error}")
    return replace(result, seconds=time.perf_counter() - started)


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
    return _as_before(entry, participant.label, mark) if _still_holds(entry, mark, out) else None


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
    """Remember inputs that were touched and yet hold what they did, so as not to read them again."""
    now = {state.path: state for state in (*before.inputs, *states)}
    inputs = tuple(now.values())
    if inputs != before.inputs:
        # Where nothing can be written, they are read again by the next call.
        with suppress(OutputError), stage_of(work, before.participant) as stage:
            write_entry(out, replace(before, inputs=inputs), stage)


def _still_holds(entry: Entry, mark: str, out: Path) -> bool:
    """Whether an earlier end of the work is what a new call would come to."""
    if entry.did_before(mark, out):
        return True
    if entry.fingerprint != mark or not entry.files_are_there(out):
        return False
    return entry.state == "done" or (entry.state == "failed" and entry.lasting)


def _as_before(entry: Entry, label: str, mark: str) -> Result:
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


def _log_of(entry: Entry) -> str:
    return next((f.path for f in entry.files if f.path.endswith("_error.txt")), "")


def _fresh(recipe: Recipe, participant: Participant, out: Path, work: Path, blank: Entry) -> Result:
    """Do the work in a hidden folder and move its results into place."""
    with stage_of(work, participant.label) as stage:
        outcome = _analyse(recipe, participant, stage / RESULTS)
        failed = bool(outcome.problems)
        page = ParticipantPage(
            participant.label,
            tuple(outcome.pages),
            tuple(outcome.problems),
            tuple(outcome.combined),
            recipe.command,
        )
        if not recipe.from_store:
            html = stage / RESULTS / f"sub-{participant.label}.html"
            put_text(html, render_participant(page), stage)
        if outcome.tracebacks:
            log = stage / RESULTS / "logs" / f"sub-{participant.label}_error.txt"
            log.parent.mkdir(exist_ok=True)
            put_text(log, "\n".join(outcome.tracebacks), stage)
        entry = replace(
            blank,
            state="failed" if failed else "done",
            reason="; ".join(outcome.problems),
            lasting=outcome.lasting,
            facts={"runs": outcome.runs},
        )
        entry = commit(stage, out, entry)
    return replace(
        _as_before(entry, participant.label, blank.fingerprint),
        state="failed" if failed else "done",
    )


def _analyse(recipe: Recipe, participant: Participant, folder: Path) -> _Outcome:
    """Work on every run; a run that fails does not stop the next."""
    outcome = _Outcome(problems=list(participant.problems))
    for inputs in participant.runs:
        try:
            work = _one_stored if recipe.from_store else _one_run
            for facts in work(recipe, inputs, folder, outcome):
                outcome.runs.append(facts)
        except OutputError:
            raise
        except Exception as error:  # noqa: BLE001  a failure is a value here
            outcome.failed(inputs.name, error, recipe.root)
    try:
        _combine(recipe, participant, folder, outcome)
    except OutputError:
        raise
    except Exception as error:  # noqa: BLE001  a failure is a value here
        outcome.failed(f"sub-{participant.label}", error, recipe.root)
    return outcome


def _one_run(
    recipe: Recipe, inputs: RunInputs, folder: Path, outcome: _Outcome
) -> Iterator[dict[str, Any]]:
    """Make and write one run's maps, strategy by strategy."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SeedmapWarning)
        opened = open_work(recipe, inputs)
    notes = [*opened.notes, *opened.missing, *(str(w.message) for w in caught)]
    outcome.problems += [_short(text, recipe.root) for text in opened.refused]
    place = folder / _place(inputs)
    strategies = []
    for done in clean_run(recipe, opened):
        about = {**strategy_facts(done.chosen), "RawSources": [], "Notes": notes}
        save_run(done.maps, place, recipe, done.chosen.strategy.label, about)
        if recipe.combine != "none":
            outcome.maps.setdefault(done.chosen.strategy.name, []).append((inputs, done.maps))
        if done.plain is not None:
            keep_run(recipe, inputs, done, done.plain, folder / FOLDER)
        strategies.append(strategy_page(recipe, done, place.parent / "figures"))
        yield _facts(recipe, inputs, opened.opened.run, done, opened)
    outcome.pages.append(run_page(inputs, opened, strategies))


def _one_stored(
    recipe: Recipe, inputs: RunInputs, folder: Path, outcome: _Outcome
) -> Iterator[dict[str, Any]]:
    """Make and write maps from a stored run, strategy by strategy."""
    for strategy in recipe.strategies:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SeedmapWarning)
            maps = maps_from_store(recipe, inputs, strategy)
        notes = [str(w.message) for w in caught]
        about = {"Strategy": strategy.name, "Notes": notes}
        save_run(maps, folder / _place(inputs), recipe, strategy.label, about)
        if recipe.combine != "none":
            outcome.maps.setdefault(strategy.name, []).append((inputs, maps))
        yield {"run": inputs.name, "strategy": strategy.name, "missing": notes}


def _place(inputs: RunInputs) -> Path:
    """Return the folder of a run's results, relative to the study's."""
    subject = next(part for part in inputs.name.split("_") if part.startswith("sub-"))
    session = f"ses-{inputs.session}" if inputs.session else ""
    return Path(subject) / session / "func"


def _facts(
    recipe: Recipe, inputs: RunInputs, run: Run, done: StrategyWork, opened: RunWork
) -> dict[str, Any]:
    """Collect what the study's page tells of a run."""
    source, maps = done.maps.provenance, done.maps
    dof = {}
    if maps.certainty is not None:
        for seed in maps.seeds:
            values = maps.values(seed, "dof")
            finite = values[np.isfinite(values)]
            dof[seed] = round(float(np.median(finite)), 1) if finite.size else None
    return {
        "run": inputs.name,
        "source": uri(inputs.bold, recipe.root),
        "strategy": done.chosen.strategy.name,
        "frames": int(run.frames),
        "kept": source.kept,
        "t_r": source.t_r,
        "mean_fd": _number(done.chosen.mean_fd),
        "confounds": len(source.confounds),
        "rank": source.rank,
        "coverage": {facts.name: _number(facts.coverage) for facts in source.seeds},
        "dof": dof,
        "probes": probe(maps),
        "centers": {facts.name: facts.center for facts in source.seeds},
        "missing": list(opened.missing),
        "warnings": list(done.warnings),
    }


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _combine(recipe: Recipe, participant: Participant, folder: Path, outcome: _Outcome) -> None:
    """Combine the runs of a session, or of the participant, where all of them are there."""
    if recipe.combine == "none" or outcome.problems or len(participant.runs) < 2:
        return
    for strategy, done in outcome.maps.items():
        for together in _groups(recipe, done).values():
            if len(together) < 2:
                continue
            inputs = [one for one, _ in together]
            name = _combined_name(together[0][1], dropped=_dropped(recipe))
            maps = combine_maps([maps for _, maps in together], name, recipe.combine_by)
            label = next(s.label for s in recipe.strategies if s.name == strategy)
            place = _place(
                inputs[0] if recipe.combine == "session" else replace(inputs[0], session="")
            )
            sources = [(one.provenance.source, *one.provenance.others) for _, one in together]
            about = {
                "Strategy": strategy,
                "Sources": [uri(Path(file), recipe.root) for files in sources for file in files],
                "Combined": combined_words(len(inputs), recipe.combine_by),
            }
            save_run(maps, folder / place, recipe, label, about)
            outcome.combined.append(f"{source_stem(name)}, {strategy}")


def _dropped(recipe: Recipe) -> tuple[str, ...]:
    return ("run",) if recipe.combine == "session" else ("run", "ses")


def _groups(
    recipe: Recipe, done: list[tuple[RunInputs, SeedMaps]]
) -> dict[str, list[tuple[RunInputs, SeedMaps]]]:
    """Put runs together that differ in no more than what is combined over."""
    groups: dict[str, list[tuple[RunInputs, SeedMaps]]] = {}
    for inputs, maps in done:
        name = _combined_name(maps, dropped=_dropped(recipe))
        groups.setdefault(name, []).append((inputs, maps))
    return groups


def _combined_name(maps: SeedMaps, dropped: tuple[str, ...]) -> str:
    """Name a combination like a run, without what it was combined over."""
    stem = source_stem(modern_name(Path(maps.provenance.source)))
    kept = [part for part in stem.split("_") if part.partition("-")[0] not in dropped]
    return "_".join([*kept, "desc-preproc", "bold.nii.gz"])
