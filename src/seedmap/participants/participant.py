"""One participant's work, from files to files: a plain function that any scheduler may call.

It knows no scheduler. What goes wrong is a value, not an exception: one participant's trouble
stops nobody else's work.
"""

import os
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seedmap.analysis import SeedMaps
from seedmap.bids import Participant, RunInputs, uri
from seedmap.errors import OutputError, SeedmapError, SeedmapWarning
from seedmap.images import Run
from seedmap.participants.combined import save_combined
from seedmap.participants.facts import finite_or_none, map_facts, merged
from seedmap.participants.ledger import (
    RESULTS,
    Entry,
    commit,
    put_text,
    read_entry,
    stage_of,
    work_folder,
)
from seedmap.participants.outputs import (
    folder_of,
    is_page,
    save_run,
    save_study_clusters,
    strategy_facts,
)
from seedmap.participants.pages import run_page, strategy_part, study_clusters
from seedmap.participants.recipe import Recipe
from seedmap.participants.resume import Result, as_before, earlier_result, new_entry
from seedmap.participants.run import RunWork, StrategyWork, clean_run, open_work
from seedmap.participants.stored import FOLDER, keep_run, maps_from_store, robust_from_store
from seedmap.report.maps import find_maps, with_all_maps
from seedmap.report.participant import ParticipantPage, RunPage, render_participant

__all__ = ["run_participant"]


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
        self.lasting = self.lasting and isinstance(error, SeedmapError) and not may_pass(error)
        text = _short(str(error), root)
        known = isinstance(error, SeedmapError)
        self.problems.append(text if known else f"{where}: {type(error).__name__}: {text}")
        self.tracebacks.append("".join(traceback.format_exception(error)))


def may_pass(error: BaseException) -> bool:
    """Whether an error comes from the disk or the network, which may be well by the next call."""
    cause = error.__cause__
    if isinstance(error, OSError) and error.errno is not None:
        return True
    return cause is not None and may_pass(cause)


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
    if work is None:
        with work_folder(out) as made:
            return run_participant(recipe, participant, out, made)
    started, label = time.perf_counter(), participant.label
    try:
        entry = new_entry(recipe, participant, out)
        result = earlier_result(entry, label, out, work) or _fresh(
            recipe, participant, out, work, entry
        )
    except OutputError as error:
        result = Result(label, "failed", " ".join(str(error).split()), fatal=True)
    except Exception as error:  # noqa: BLE001  a failure is a value here
        result = Result(label, "failed", f"{type(error).__name__}: {error}")
    return replace(result, seconds=time.perf_counter() - started)


def _fresh(recipe: Recipe, participant: Participant, out: Path, work: Path, blank: Entry) -> Result:
    """Do the work in a hidden folder and move its results into place."""
    with stage_of(work, participant.label) as stage:
        outcome = _analyse(recipe, participant, stage / RESULTS)
        failed = bool(outcome.problems)
        page = _page(recipe, participant.label, outcome, out, stage / RESULTS)
        put_text(stage / RESULTS / f"sub-{participant.label}.html", page, stage)
        if outcome.tracebacks:
            log = stage / RESULTS / "logs" / f"sub-{participant.label}_error.txt"
            log.parent.mkdir(exist_ok=True)
            put_text(log, "\n".join(outcome.tracebacks), stage)
        entry = replace(
            blank,
            state="failed" if failed else "done",
            reason="; ".join(outcome.problems),
            lasting=outcome.lasting,
            facts={"runs": merged(_earlier_runs(out, blank), outcome.runs)},
        )
        entry = commit(stage, out, entry)
    return replace(
        as_before(entry, participant.label, blank.fingerprint),
        state="failed" if failed else "done",
    )


def _page(recipe: Recipe, label: str, outcome: _Outcome, out: Path, results: Path) -> str:
    """Render a participant's page; maps of a stored run are added to the page that is there."""
    name = f"sub-{label}.html"
    rows = find_maps(out, results, label)
    if recipe.from_store and is_page(out / name):
        return with_all_maps((out / name).read_text(encoding="utf-8"), rows)
    page = ParticipantPage(
        label,
        tuple(outcome.pages),
        tuple(outcome.problems),
        tuple(outcome.combined),
        recipe.command,
    )
    return with_all_maps(render_participant(page), rows)


def _earlier_runs(out: Path, blank: Entry) -> list[dict[str, Any]]:
    before = read_entry(out, blank.participant)
    return before.facts.get("runs", []) if before is not None else []


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


def _combine(recipe: Recipe, participant: Participant, folder: Path, outcome: _Outcome) -> None:
    """Combine runs where all of them are there."""
    if recipe.combine == "none" or outcome.problems or len(participant.runs) < 2:
        return
    for name in save_combined(recipe, outcome.maps, folder):
        outcome.combined.append(name)


def _one_run(
    recipe: Recipe, inputs: RunInputs, folder: Path, outcome: _Outcome
) -> Iterator[dict[str, Any]]:
    """Make and write one run's maps, strategy by strategy."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SeedmapWarning)
        opened = open_work(recipe, inputs)
    notes = [*opened.notes, *opened.missing, *(str(w.message) for w in caught)]
    outcome.problems += [_short(text, recipe.root) for text in opened.refused]
    place = folder / folder_of(inputs)
    strategies = []
    for done in clean_run(recipe, opened):
        about = {**strategy_facts(done.chosen), "RawSources": [], "Notes": notes}
        save_run(done.robust or done.maps, place, recipe, done.chosen.strategy.label, about)
        if recipe.combine != "none":
            outcome.maps.setdefault(done.chosen.strategy.name, []).append((inputs, done.maps))
        if done.plain is not None:
            keep_run(recipe, inputs, done, done.plain, folder / FOLDER)
        clusters = study_clusters(recipe, done.maps)
        names = save_study_clusters(done.maps, place, done.chosen.strategy.label, clusters)
        tables = {seed: f"{folder_of(inputs).as_posix()}/{name}" for seed, name in names.items()}
        strategies.append(strategy_part(recipe, done, place.parent / "figures", clusters, tables))
        yield _facts(recipe, inputs, opened.opened.run, done, opened)
    outcome.pages.append(run_page(inputs, opened, strategies))


def _one_stored(
    recipe: Recipe, inputs: RunInputs, folder: Path, outcome: _Outcome
) -> Iterator[dict[str, Any]]:
    """Make and write maps from a stored run, strategy by strategy."""
    found = []
    for strategy in recipe.strategies:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SeedmapWarning)
            maps, run = maps_from_store(recipe, inputs, strategy)
        found.append((strategy, maps, run, [str(w.message) for w in caught]))
    for strategy, maps, run, notes in found:
        about = {"Strategy": strategy.name, "Notes": notes}
        robust = None
        if recipe.seed_robustness:
            others = [other for _, other, _, _ in found if other is not maps]
            robust = robust_from_store(recipe, inputs, strategy, maps, others)
        save_run(robust or maps, folder / folder_of(inputs), recipe, strategy.label, about)
        clusters = study_clusters(recipe, maps)
        save_study_clusters(maps, folder / folder_of(inputs), strategy.label, clusters)
        if recipe.combine != "none":
            outcome.maps.setdefault(strategy.name, []).append((inputs, maps))
        yield {**map_facts(maps), "run": run, "strategy": strategy.name, "missing": notes}


def _facts(
    recipe: Recipe, inputs: RunInputs, run: Run, done: StrategyWork, opened: RunWork
) -> dict[str, Any]:
    """Collect what the study's page shows of a run."""
    return {
        **map_facts(done.maps),
        "run": inputs.name,
        "source": uri(inputs.bold, recipe.root),
        "strategy": done.chosen.strategy.name,
        "frames": int(run.frames),
        "mean_fd": finite_or_none(done.chosen.mean_fd),
        "missing": list(opened.missing),
        "warnings": list(done.warnings),
    }
