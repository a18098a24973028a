"""A whole study: every participant's work, and what holds it together."""

import os
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from seedmap.bids import Participant
from seedmap.errors import OutputError, SeedmapError, SeedmapWarning
from seedmap.parallel import Pool, Share, run_each, share_of
from seedmap.participants.ledger import (
    Entry,
    new_work_folder,
    put_text,
    read_entry,
    stage_of,
    sweep,
)
from seedmap.participants.outputs import BIDSIGNORE, README, dataset_description
from seedmap.participants.pages import write_study_page
from seedmap.participants.participant import run_participant
from seedmap.participants.recipe import Recipe
from seedmap.participants.resume import Result, is_current
from seedmap.participants.run import estimate_memory

__all__ = ["Plan", "gather", "plan_study", "run_study"]

FALLBACK = 1e9  # bytes, where no header can be read


@dataclass(frozen=True)
class Plan:
    """What a call will do.

    Attributes
    ----------
    todo : tuple of Participant
        Those whose work is missing, or whose inputs or options changed.
    settled : tuple of Result
        The others.
    memory : float
        Estimate of the most memory that one participant takes [bytes].
    share : Share
        How the machine is shared out.
    """

    todo: tuple[Participant, ...]
    settled: tuple[Result, ...]
    memory: float
    share: Share


def plan_study(recipe: Recipe, participants: Sequence[Participant], out: Path, pool: Pool) -> Plan:
    """Find out what is to be done and how much of it fits at once; only headers are read."""
    settled = {one.label: is_current(recipe, one, out) for one in participants}
    todo = tuple(one for one in participants if settled[one.label] is None)
    memory = max((_memory_of(recipe, one) for one in todo), default=0.0) or FALLBACK
    return Plan(
        todo,
        tuple(result for result in settled.values() if result is not None),
        memory,
        share_of(pool, len(todo), memory),
    )


def _memory_of(recipe: Recipe, participant: Participant) -> float:
    """Estimate a participant's memory from the first run; runs come one after the other."""
    for inputs in () if recipe.from_store else participant.runs:
        try:
            with warnings.catch_warnings():  # said when the run is worked on
                warnings.simplefilter("ignore", SeedmapWarning)
                return estimate_memory(recipe, inputs)
        except (SeedmapError, OSError, ValueError):
            continue
    return 0.0


def run_study(
    recipe: Recipe,
    plan: Plan,
    out: Path,
    pool: Pool,
    *,
    stop_on_first_crash: bool = False,
    on_result: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Do what is planned, wherever the pool says, and write what the results have in common.

    Returns
    -------
    list of Result
        One a participant, in the order of their labels; those that were not reached are missing.

    Raises
    ------
    OutputError
        If the results cannot be written; what was complete before stays.
    """
    _check_apart(recipe.root, out)
    work = new_work_folder(out)
    results = list(plan.settled)
    try:
        out.mkdir(parents=True, exist_ok=True)
        sweep(out)
        write_common(recipe, out, work)
        threaded = replace(recipe, n_jobs=plan.share.threads)
        with closing(_results(threaded, plan, out, pool, work)) as coming:
            for result in coming:
                if result.fatal:
                    raise OutputError(result.reason)
                results.append(result)
                if on_result is not None:
                    on_result(result)
                if stop_on_first_crash and result.state == "failed":
                    break
        if not recipe.from_store:
            write_study_page(recipe, gather(out, results), out, work)
    except OSError as error:
        if isinstance(error, SeedmapError):
            raise
        msg = f"{out}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        raise OutputError(msg) from error
    finally:
        sweep(out, [work])
    return sorted(results, key=lambda result: result.participant)


def gather(out: Path, results: Sequence[Result] = ()) -> list[Entry]:
    """Read what is known of every participant, of this call and of earlier ones."""
    labels = {path.stem.removeprefix("sub-") for path in (out / "logs").glob("sub-*.json")}
    labels = {label for label in labels if "_" not in label}  # without those of stored runs
    known = {label: entry for label in labels if (entry := read_entry(out, label)) is not None}
    for result in results:
        if result.participant not in known:
            known[result.participant] = Entry(result.participant, "failed", "", result.reason)
        elif result.state == "failed":
            entry = known[result.participant]
            known[result.participant] = replace(entry, state="failed", reason=result.reason)
    return list(known.values())


def _results(recipe: Recipe, plan: Plan, out: Path, pool: Pool, work: Path) -> Generator[Result]:
    """Give participants to workers; a lost worker is a failed participant."""
    function = partial(_work_on, recipe, out, work)
    for participant, outcome in run_each(function, plan.todo, pool, plan.share):
        if isinstance(outcome, Exception):
            reason = f"sub-{participant.label}: {outcome}"
            yield Result(participant.label, "failed", reason)
            continue
        result, notes = outcome
        for note in notes:
            msg = f"sub-{participant.label}: {note}"
            warnings.warn(msg, SeedmapWarning, stacklevel=2)
        yield result


def _work_on(
    recipe: Recipe, out: Path, work: Path, participant: Participant
) -> tuple[Result, tuple[str, ...]]:
    """Do a participant's work; return its warnings, too, which a worker can show to nobody."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SeedmapWarning)
        result = run_participant(recipe, participant, out, work)
    said = [str(one.message) for one in caught if issubclass(one.category, SeedmapWarning)]
    return result, tuple(dict.fromkeys(said))


def _check_apart(root: Path, out: Path) -> None:
    """Refuse to write into the data set."""
    if out.resolve() == root.resolve() and not (root / "logs").is_dir():
        msg = f"{out}: results would be written into the data set itself; give another folder"
        raise OutputError(msg)


def write_common(recipe: Recipe, out: Path, work: Path) -> None:
    """Write what makes the folder a data set, unless it is there already."""
    files = {"dataset_description.json": dataset_description(recipe), ".bidsignore": BIDSIGNORE}
    files["README.md"] = README
    changed = {name: text for name, text in files.items() if _text_of(out / name) != text}
    if not changed:
        return
    with stage_of(work, "common") as stage:
        for name, text in changed.items():
            put_text(out / name, text, stage)


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if os.access(path, os.R_OK) else None
