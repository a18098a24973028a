"""``seedmap bids``: a derivative data set in, every participant's maps out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seedmap.analysis import Method
from seedmap.bids import Participant, find_participants
from seedmap.cli.console import Screen
from seedmap.cli.help import group
from seedmap.cli.invocation import command_line, write_log
from seedmap.cli.study_options import (
    AnalysisOptions,
    CallOptions,
    ChoiceOptions,
    DenoiseOptions,
    PoolOptions,
    StudySeedOptions,
)
from seedmap.errors import MissingFile
from seedmap.parallel import Pool, job_script
from seedmap.participants.ledger import work_folder
from seedmap.participants.methods import methods_text
from seedmap.participants.pages import write_study_page
from seedmap.participants.recipe import Recipe
from seedmap.participants.resume import Result
from seedmap.participants.stored import find_stored
from seedmap.participants.study import Plan, check_ours, gather, plan_study, run_study
from seedmap.report.words import count
from seedmap.temporal import Cleaning

__all__ = ["bids"]

SOME_FAILED = 3


def bids(  # noqa: PLR0913  the three places of a BIDS App, and its groups of options
    bids_dir: Path,
    output_dir: Path,
    analysis_level: Literal["participant"] = "participant",  # noqa: ARG001  the only one so far
    /,
    *,
    choice: Annotated[
        ChoiceOptions, Parameter(name="*", group=group("Which runs"))
    ] = ChoiceOptions(),  # noqa: B008
    seeds: Annotated[
        StudySeedOptions, Parameter(name="*", group=group("Seeds"))
    ] = StudySeedOptions(),  # noqa: B008
    denoise: Annotated[
        DenoiseOptions, Parameter(name="*", group=group("Denoising"))
    ] = DenoiseOptions(),  # noqa: B008
    cleaning: Annotated[Cleaning, Parameter(name="*", group=group("Cleaning"))] = Cleaning(),
    analysis: Annotated[
        AnalysisOptions, Parameter(name="*", group=group("Analysis"))
    ] = AnalysisOptions(),  # noqa: B008
    pool: Annotated[PoolOptions, Parameter(name="*", group=group("Machine"))] = PoolOptions(),  # noqa: B008
    call: Annotated[CallOptions, Parameter(name="*", group=group("Call"))] = CallOptions(),  # noqa: B008
) -> int:
    """Make the maps of every participant of an fMRIPrep data set.

    A call does only what is missing or changed. Exit code 3: some participants failed, the others
    are complete. Example:

        seedmap bids derivatives/fmriprep derivatives/seedmap participant
        --task-id rest --seed PCC=0,-52,18 --strategy 36P

    Parameters
    ----------
    bids_dir
        The derivatives of fMRIPrep: the folder with sub-... in it.
    output_dir
        Folder for the results; made if it is not there.
    analysis_level
        participant; with group in its place, the options are those of seedmap group.
    """
    screen = Screen(call.quiet, call.verbose)
    recipe = _recipe(bids_dir, seeds, denoise, cleaning, analysis)
    if call.boilerplate_only:
        screen.out.print("\n\n".join(methods_text(recipe)), soft_wrap=True, markup=False)
        return 0
    if call.reports_only:
        return _write_page(screen, recipe, output_dir)
    check_ours(recipe, output_dir)  # before anything is worked out
    participants = _participants(recipe, choice, analysis.surfaces())
    settings = pool.pool()
    plan = plan_study(recipe, participants, output_dir, settings)
    _say_plan(screen, plan, participants, settings)
    if call.dry_run:
        _say_dry(screen, plan, settings)
        return 0
    results = _run(screen, recipe, plan, output_dir, settings, call)
    _say_end(screen, results, output_dir)
    write_log(output_dir)
    return SOME_FAILED if any(one.state == "failed" for one in results) else 0


def _participants(
    recipe: Recipe, choice: ChoiceOptions, surfaces: dict[str, Path]
) -> list[Participant]:
    """Find what there is to do."""
    filters = choice.filters(recipe.desc)
    if recipe.from_store:
        return find_stored(recipe.root, filters, recipe.strategies)
    return find_participants(
        recipe.root,
        filters,
        needs_confounds=any(strategy.name != "none" for strategy in recipe.strategies),
        needs_mask=recipe.mask_img is None,
        surfaces=surfaces,
    )


def _recipe(
    root: Path,
    seeds: StudySeedOptions,
    denoise: DenoiseOptions,
    cleaning: Cleaning,
    analysis: AnalysisOptions,
) -> Recipe:
    """Put the options together."""
    return Recipe(
        seeds=seeds.placed(),
        strategies=denoise.strategies(analysis.from_store),
        root=(analysis.from_store or root).resolve(),
        store=analysis.store,
        from_store=analysis.from_store is not None,
        method=Method(
            cleaning=cleaning,
            smoothing_fwhm=analysis.smoothing_fwhm,
            measure=analysis.measure,
            uncertainty=analysis.uncertainty,
        ),
        mask_img=analysis.mask_img,
        t_r=analysis.t_r,
        dummy_scans=denoise.dummy_scans,
        min_minutes=denoise.min_time,
        other_space=seeds.allow_space_mismatch,
        combine=analysis.combine_runs,
        combine_by=analysis.combine_by,
        seed_robustness=analysis.seed_robustness,
        degree=analysis.degree,
        figures=analysis.figures,
        threshold=analysis.parsed(),
        min_cluster=analysis.min_cluster,
        atlas=analysis.naming(),
        command=command_line(),
    )


def _write_page(screen: Screen, recipe: Recipe, out: Path) -> int:
    """Write the study's page anew from what earlier calls left."""
    entries = gather(out)
    if not entries:
        msg = f"{out}: no results are there, so there is nothing to report; run without --reports-only"
        raise MissingFile(msg)
    check_ours(recipe, out)
    with work_folder(out) as work:
        write_study_page(recipe, entries, out, work)
    screen.line("Look at", str(out / "index.html"))
    return SOME_FAILED if any(one.state == "failed" for one in entries) else 0


def _run(
    screen: Screen, recipe: Recipe, plan: Plan, out: Path, pool: Pool, call: CallOptions
) -> list[Result]:
    """Do the work with a bar."""
    done = 0
    with screen.progress("Participants") as progress:
        progress(0, len(plan.todo))

        def on_result(result: Result) -> None:
            nonlocal done
            done += 1
            progress(done, len(plan.todo))
            if screen.verbose:
                screen.facts(
                    [(f"sub-{result.participant}", f"{result.state}, {result.seconds:.1f} s")]
                )

        return run_study(
            recipe,
            plan,
            out,
            pool,
            stop_on_first_crash=call.stop_on_first_crash,
            on_result=on_result,
        )


def _say_plan(screen: Screen, plan: Plan, participants: Sequence[Participant], pool: Pool) -> None:
    runs = sum(len(one.runs) for one in participants)
    rows = [("Found", f"{count(len(participants), 'participant')}, {count(runs, 'run')}")]
    if plan.settled:
        rows.append(
            ("Skipped", f"{count(len(plan.settled), 'participant')}: nothing has changed since")
        )
    if plan.todo:
        how = f"on the workers of {pool.dask_scheduler}"
        how = how if pool.dask_scheduler else f"{plan.share.workers} at once"
        how += f", about {plan.memory / 1e6:.0f} MB each"
        rows.append(("To do", f"{count(len(plan.todo), 'participant')}, {how}"))
    screen.facts(rows)


def _say_dry(screen: Screen, plan: Plan, pool: Pool) -> None:
    """Say what would be done, run by run."""
    rows = []
    for one in plan.todo:
        rows += [(f"sub-{one.label}", run.bold.name) for run in one.runs]
        rows += [(f"sub-{one.label}", f"trouble: {problem}") for problem in one.problems]
    screen.facts(rows)
    if pool.cluster:
        screen.out.print(job_script(pool), soft_wrap=True, markup=False)


def _say_end(screen: Screen, results: Sequence[Result], out: Path) -> None:
    """Say what came of it; each failure with its reason."""
    number = {state: sum(one.state == state for one in results) for state in ("done", "unchanged")}
    failed = [one for one in results if one.state == "failed"]
    rows = [("Done", f"{count(number['done'], 'participant')}, {number['unchanged']} unchanged")]
    for one in failed:
        log = f" (see {out / one.log})" if one.log else ""
        rows.append((f"sub-{one.participant}", f"failed: {one.reason}{log}"))
    page = out / "index.html"
    files = sum(one.files for one in results if one.state == "done")
    rows.append(("Written", f"{count(files, 'file')} in {out}"))
    screen.facts(rows)
    if page.is_file():
        screen.line("Look at", str(page))
    screen.facts([(f"{'Took':7}", f"{time.perf_counter() - screen.started:.1f} s")])
