"""What a terminal shows: progress while it lasts, then the facts."""

import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from seedmap.analysis import Preflight, SeedMaps, global_signal
from seedmap.cli.invocation import record
from seedmap.cli.printing import Printed
from seedmap.clusters import Cluster, FoundClusters, Threshold
from seedmap.connectivity import critical_r
from seedmap.errors import SeedmapWarning
from seedmap.report.words import count, rough_time

__all__ = ["Screen", "cleaning_words", "cluster_words", "peak_memory"]

TOP_CLUSTERS = 5
# Where there is no terminal, a line says this often how far the work is [s].
EVERY = 10.0


def peak_memory() -> float | None:
    """Return the most memory that this process has held [MB]; None where nobody counts."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would begin with what the parent process held
        held = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        return int(held[1]) / (1 << 10) if held else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / (1 << 10)


@dataclass
class Screen:
    """Prints facts to standard output; when quiet nothing, and no warnings either."""

    quiet: bool = False
    verbose: bool = False
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        file = None if sys.stdout is None else cast("TextIO", Printed(sys.stdout))
        self.out = Console(file=file, highlight=False, quiet=self.quiet)
        self.bar = Console(stderr=True, quiet=self.quiet)
        if self.quiet:  # until the call has ended: `main` puts the filters back
            warnings.simplefilter("ignore", SeedmapWarning)

    @contextmanager
    def progress(self, what: str, *, later: bool = False) -> Iterator[Callable[[int, int], None]]:
        """Show a bar on standard error while ``what`` lasts; it vanishes at the end.

        With ``later`` it appears when something is done, so that facts can be printed before.
        Where standard error is no terminal, lines take its place, one in ten seconds.
        """
        if not self.bar.is_terminal:
            yield self._lines(what)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        bars = Progress(*columns, console=self.bar, transient=True, disable=self.quiet)
        task = bars.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            bars.start()
            bars.update(task, completed=done, total=total)

        if not later:
            bars.start()
        try:
            yield show
        finally:
            bars.stop()

    def _lines(self, what: str) -> Callable[[int, int], None]:
        """Return what prints from time to time how far the work is."""
        begun = last = time.perf_counter()

        def show(done: int, total: int) -> None:
            nonlocal last
            if time.perf_counter() - last >= EVERY:
                last = time.perf_counter()
                line = f"{what}: {done:,} of {total:,} ({done / max(total, 1):.0%})"
                if 0 < done < total:
                    left = (last - begun) * (total - done) / done
                    line += f", about {rough_time(left)} left"
                self.bar.print(line, markup=False, soft_wrap=True)

        return show

    def facts(self, rows: list[tuple[str, str]]) -> None:
        """Print rows of a name and a fact, the facts aligned."""
        lines = plain(rows)
        record(lines)
        if not self.out.is_terminal:
            self.out.print(lines, markup=False, soft_wrap=True)
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, fact in rows:
            table.add_row(Text(name), Text(fact))
        self.out.print(table)

    def maps(self, maps: SeedMaps) -> None:
        """Print what was analysed and found."""
        self.facts(run_rows(maps, verbose=self.verbose) + seed_rows(maps))

    def plan(self, plan: Preflight) -> None:
        """Print what the analysis will leave and cost, and what to mind."""
        kept = f"{plan.kept} of {count(plan.frames, 'frame')}"
        kept += f" ({plan.minutes:.1f} min)" if plan.minutes is not None else ""
        left = f"{plan.rank} of {plan.kept} degrees of freedom ({plan.white_dof:.0f} effective, were the noise white)"
        words = [
            f"{kept}; {count(plan.confounds, 'confound')} of rank {plan.confound_rank}",
            f"cleaning leaves {left}",
            f"about {plan.seconds:.1f} s to read and map, at most {plan.memory / 1e6:.0f} MB, without figures",
        ]
        notes = [("Mind", concern) for concern in plan.concerns()]
        self.facts([("Plan", "\n".join(words)), *notes])

    def clusters(self, clusters: FoundClusters) -> None:
        """Print the largest clusters of each map."""
        if not clusters.by_seed:
            self.facts([("Clusters", "none, since where the vertices lie is not known")])
        for seed, found in clusters.by_seed.items():
            self.facts([(seed, cluster_words(found, clusters.threshold))])

    def end(self, folder: Path, paths: list[Path]) -> None:
        """Print where the results are, and what they cost."""
        rows = [("Written", f"{count(len(paths), 'file')} in {folder}")]
        rows += [("", str(path.relative_to(folder))) for path in paths if self.verbose]
        self.facts(rows)
        for path in paths:
            if path.suffix == ".html":
                self.line("Look at", str(path))
        memory = peak_memory()
        cost = f"{time.perf_counter() - self.started:.1f} s"
        self.facts([(f"{'Took':7}", cost + (f", peak memory {memory:.0f} MB" if memory else ""))])

    def line(self, name: str, text: str) -> None:
        """Print a text that is to be copied, on one line however long."""
        record(f"{name}  {text}")
        self.out.print(f"[bold]{name}[/bold]  {escape(text)}", soft_wrap=True)


def plain(rows: Sequence[tuple[str, str]]) -> str:
    r"""Write rows of a name and a fact as lines, the facts aligned, nothing behind them.

    Examples
    --------
    >>> print(plain([("Run", "a.nii\n100 frames"), ("Seeds", "1")]))
    Run    a.nii
           100 frames
    Seeds  1
    """
    width = max((len(name) for name, _ in rows), default=0)
    lines = []
    for name, fact in rows:
        first, *more = fact.split("\n")
        lines += [f"{name:{width}}  {first}", *(f"{'':{width}}  {line}" for line in more)]
    return "\n".join(line.rstrip() for line in lines)


def run_rows(maps: SeedMaps, *, verbose: bool) -> list[tuple[str, str]]:
    """Say what was analysed and how."""
    source = maps.provenance
    frames = f"{source.kept} of {source.keep.size} frames"
    if source.t_r:
        frames += f", repetition time {source.t_r:g} s ({source.t_r_source})"
    confounds = f"{count(len(source.confounds), 'column')}, rank {source.confound_rank}"
    confounds += f", strategy {source.strategy}" if source.strategy else ""
    confounds += ", the global signal among them" if global_signal(source.confounds) else ""
    rows = [
        ("Run", "\n".join([*(Path(one).name for one in (source.source, *source.others)), frames])),
        (
            "Mask",
            f"{maps.space.n_samples:,} {maps.space.elements} ({Path(source.mask_source).name})",
        ),
        ("Cleaning", cleaning_words(maps)),
        ("Confounds", confounds if source.confounds else "none"),
        ("Seed series", str(maps.seed_series.shape)),
        ("Brain series", str((source.kept, maps.space.n_samples))),
    ]
    noise = maps.certainty and maps.certainty.unevenness(source.keep)
    if noise:
        rows.append(("Noise", noise.words))
    if source.constant or source.unusable:
        fact = f"{source.constant} {maps.space.elements} are constant, {source.unusable} not finite: NaN in the maps"
        rows.append(("Left out", fact))
    if verbose:
        rows.append(("Columns", ", ".join(source.confounds) or "none"))
        rows.append(("Censored", ", ".join(map(str, np.flatnonzero(~source.keep))) or "no volume"))
        rows.append(("Rank left", f"{source.rank} of {source.kept}"))
    return rows


def cleaning_words(maps: SeedMaps) -> str:
    """Say in a few words how the run was cleaned."""
    cleaning = maps.provenance.cleaning
    words = ["detrended"] if cleaning.detrend else []
    if cleaning.filter and cleaning.needs_t_r:
        low, high = cleaning.high_pass, cleaning.low_pass
        low, high = low, (None if cleaning.filter == "cosine" else high)
        edge = f"{low:g} to {high:g} Hz" if low and high else ""
        edge = edge or (f"above {low:g} Hz" if low else f"below {high:g} Hz")
        words.append(f"{cleaning.filter} filter {edge}")
    if maps.provenance.smoothing_fwhm:
        words.append(f"smoothed {maps.provenance.smoothing_fwhm:g} mm")
    return ", ".join(words) or "none"


def seed_rows(maps: SeedMaps) -> list[tuple[str, str]]:
    """Say for each seed what it is and how far its correlations reach."""
    rows = []
    for facts in maps.provenance.seeds:
        where = facts.definition
        if facts.center is not None:
            where += f": {facts.voxels} {maps.space.elements}, {facts.coverage:.0%} in the mask"
        r, fisherz = maps.values(facts.name, "r"), maps.values(facts.name, "fisherz")
        measure = maps.provenance.measure
        where += "" if measure == "correlation" else f"\nr is that of measure {measure}"
        reach = "no finite value"
        if np.isfinite(r).any():
            reach = f"r        min {np.nanmin(r):.3f}, max {np.nanmax(r):.3f}"
            reach += f"\nFisher z min {np.nanmin(fisherz):.3f}, max {np.nanmax(fisherz):.3f}"
            reach += certainty_words(maps, facts.name)
        rows.append((facts.name, f"{where}\n{reach}"))
    return rows


def certainty_words(maps: SeedMaps, seed: str) -> str:
    """Say how sure a map is: degrees of freedom, and how much of it is significant."""
    if maps.certainty is None:
        return ""
    dof, q = maps.values(seed, "dof"), maps.values(seed, "q")
    if not np.isfinite(q).any():
        return "\nno effective degrees of freedom are left"
    found = np.count_nonzero(q < 0.05)
    share = found / np.count_nonzero(np.isfinite(q))
    middle, low = float(np.nanmedian(dof)), np.nanpercentile(dof, 5)
    return (
        f"\ndof      median {middle:.0f}, 5 % {low:.0f}; |r| above {critical_r(middle, 0.001):.2f} has p < .001"
        f"\nq < 0.05 in {found:,} {maps.space.elements} ({share:.0%}){_corrected(maps, seed)}"
    )


def _corrected(maps: SeedMaps, seed: str) -> str:
    """Say how much is significant after a correction for the whole map."""
    if maps.familywise is None:
        return ""
    found = np.count_nonzero(maps.values(seed, "pfwe") < 0.05)
    return f", pfwe < 0.05 in {found:,}"


def cluster_words(clusters: Sequence[Cluster], threshold: Threshold) -> str:
    """List the largest clusters, the seed's own neighbourhood left out."""
    where = f"with {threshold.words}, away from the seed"
    if not clusters:
        return f"no cluster {where}"
    lines = [f"{count(len(clusters), 'cluster')} {where}:"]
    corrected = any(np.isfinite(one.p_cluster) for one in clusters)
    lines.append("   x    y    z mm      r      z        q    size" + "  p_cluster" * corrected)
    for one in clusters[:TOP_CLUSTERS]:
        place = f"{one.x:4.0f} {one.y:4.0f} {one.z_mm:4.0f}   "
        numbers = f"{one.r:6.2f} {_known(one.z, '6.2f')} {_known(one.q, '8.1e')} {_size(one)}"
        numbers += f"  {_known(one.p_cluster, '9.3f')}" if corrected else ""
        lines.append(f"{place} {numbers}  {one.region}".rstrip())
    if len(clusters) > TOP_CLUSTERS:
        lines.append(f"and {len(clusters) - TOP_CLUSTERS} smaller ones in the table")
    return "\n".join(lines)


def _size(one: Cluster) -> str:
    """Write a volume or an area, with its unit."""
    return f"{one.mm2:7.0f} mm2" if np.isfinite(one.mm2) else f"{one.mm3:7.0f} mm3"


def _known(value: float, form: str) -> str:
    width = int(form.split(".")[0])
    return f"{value:{form}}" if np.isfinite(value) else "-".rjust(width)
