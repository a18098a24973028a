"""A whole study: every participant's work, and what holds it together."""

import json
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from seedmap.bids import Participant
from seedmap.errors import OutputError, SeedmapError, SeedmapWarning
from seedmap.parallel import Pool, Share, run_each, share_of
from seedmap.participants.facts import merged
from seedmap.participants.ledger import (
    Entry,
    put_text,
    read_entry,
    stage_of,
    work_folder,
)
from seedmap.participants.outputs import BIDSIGNORE, README, dataset_description, is_page
from seedmap.participants.pages import write_study_page
from seedmap.participants.participant import run_participant
from seedmap.participants.recipe import STORED, Recipe
from seedmap.participants.resume import Result, is_current
from seedmap.participants.run import estimate_memory

__all__ = ["Plan", "check_ours", "gather", "plan_study", "run_study"]

DESCRIPTION = "dataset_description.json"
# What results have in common; in a folder of another program these are its own.
COMMON = (DESCRIPTION, "README.md", ".bidsignore", "index.html", "logs")
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
    check_ours(recipe, out)
    results = list(plan.settled)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with work_folder(out) as work:
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
            write_study_page(recipe, gather(out, results), out, work)
    except OSError as error:
        if isinstance(error, SeedmapError):
            raise
        msg = f"{out}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        raise OutputError(msg) from error
    return sorted(results, key=lambda result: result.participant)


def gather(out: Path, results: Sequence[Result] = ()) -> list[Entry]:
    """Read what is known of every participant, of this call and of earlier ones."""
    labels = sorted(path.stem.removeprefix("sub-") for path in (out / "logs").glob("sub-*.json"))
    known: dict[str, Entry] = {}
    for entry in (read_entry(out, label) for label in labels):
        if entry is not None:
            label = entry.participant.removesuffix(STORED)
            known[label] = _together(known.get(label), replace(entry, participant=label))
    for result in results:
        if result.participant not in known:
            known[result.participant] = Entry(result.participant, "failed", "", result.reason)
        elif result.state == "failed":
            entry = known[result.participant]
            known[result.participant] = replace(entry, state="failed", reason=result.reason)
    return list(known.values())


def _together(images: Entry | None, entry: Entry) -> Entry:
    """Add what was made from a participant's stored runs to what was made from the images."""
    if images is None:
        return entry
    return replace(
        images,
        state="failed" if "failed" in (images.state, entry.state) else images.state,
        reason="; ".join(filter(None, (images.reason, entry.reason))),
        facts={"runs": merged(images.facts.get("runs", []), entry.facts.get("runs", []))},
    )


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


def check_ours(recipe: Recipe, out: Path) -> None:
    """Refuse a folder that holds what seedmap did not make and would write over.

    A folder is ours when its ``dataset_description.json`` says so.

    Raises
    ------
    OutputError
        If it is not, and has files of the names of ours, or is the data set itself.
    """
    if out.resolve() == recipe.root.resolve() and not recipe.from_store:
        msg = f"{out}: results would be written into the data set itself; give another folder"
        raise OutputError(msg)
    if _is_ours(out / DESCRIPTION):
        page = out / "index.html"
        foreign = [page] if page.exists() and not is_page(page) else []
    else:
        foreign = [out / name for name in COMMON if (out / name).exists()]
    if foreign:
        msg = (
            f"{foreign[0]}: seedmap did not make this, and results would take its place; give a folder "
            "of their own"
        )
        raise OutputError(msg)


def _is_ours(description: Path) -> bool:
    """Whether a data set's description names seedmap as what made it, other than of a phantom."""
    try:
        made = json.loads(description.read_text(encoding="utf-8"))["GeneratedBy"]
        return any(one["Name"] == "seedmap" and "Description" not in one for one in made)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def write_common(recipe: Recipe, out: Path, work: Path) -> None:
    """Write what makes the folder a data set; what the user changed or added stays."""
    files = {".bidsignore": BIDSIGNORE, "README.md": README}
    missing = {name: text for name, text in files.items() if not (out / name).exists()}
    about = _described(recipe, out / DESCRIPTION)
    if about is not None:
        missing = {DESCRIPTION: about, **missing}
    if not missing:
        return
    with stage_of(work, "common") as stage:
        for name, text in missing.items():
            put_text(out / name, text, stage)


def _described(recipe: Recipe, path: Path) -> str | None:
    """Describe the data set, with all that the user added; None if nothing is to be written."""
    text = dataset_description(recipe, path.parent)
    if not path.exists():
        return text
    there, now = json.loads(path.read_text(encoding="utf-8")), json.loads(text)
    kept = {**now, **there, **{key: now[key] for key in ("GeneratedBy", "SourceDatasets")}}
    if recipe.from_store or kept == there:
        return None
    return json.dumps(kept, indent=2) + "\n"
