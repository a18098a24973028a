"""From the numbers to the table that is printed and the page that is written."""

from collections.abc import Iterator
from typing import NamedTuple

MB = 1e6

PAGE = """# Speed and memory

{intro}

{table}

{missed}{bars}## What the time goes to

{stages}

{steps}

## Measured on

{machine}

Made by `{command}` on {date}. Times on other machines differ; ratios, less so.
{note}"""
INTRO = """The work is that of nilearn's seed-to-voxel example: mask, seed series, smoothed and
cleaned brain series, correlation. Each row is the median over fresh processes that took turns, so
that whatever else the machine did was shared. Imports are excluded from the first three rows of a
run, on both sides, and have their own column; a *command* is everything from the shell's prompt to
saved maps. The *floor* is the time that inflating the file takes with isal and nothing else: no
reader of this file can be faster. *With operator* is the same with the error bars
(`uncertainty="operator"`), which nilearn has not."""
BARS_TEXT = """## With error bars

The same work without and with error bars took turns, each in a fresh process. The ratio is the
median of the turns' own ratios, so that whatever else the machine did changes both alike; that of
processor time does not depend on how many processors were free."""
STAGES = "The stages as they run, in seconds. Reading and smoothing overlap: one thread inflates."
STEPS = (
    "The steps of seedmap one after the other in one thread, in seconds, to see what each costs."
)


class Target(NamedTuple):
    """What has to hold: a ratio at least or at most a limit."""

    case: str
    what: str
    found: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.found >= self.limit if self.at_least else self.found <= self.limit


def summary(results: dict) -> str:
    """Return what is printed: the table, the stages, the targets."""
    parts = [f"{key}: {value}" for key, value in results["machine"].items()]
    steps = [stage_table(results), STEPS, step_table(results)]
    tables = [main_table(results), target_table(results) + f"\n\n{missed(results)}".rstrip()]
    return "\n\n".join(["; ".join(parts), *tables, *steps])


def page(results: dict) -> str:
    """Return the documentation's page."""
    facts = "\n".join(f"- {key}: {value}" for key, value in results["machine"].items())
    return PAGE.format(
        intro=INTRO,
        table=f"{main_table(results)}\n\n## What has to hold\n\n{target_table(results)}",
        missed=missed(results),
        bars=bars_section(results),
        stages=f"{STAGES}\n\n{stage_table(results)}",
        steps=f"{STEPS}\n\n{step_table(results)}",
        machine=facts,
        command=results["command"],
        date=results["date"],
        note=results.get("note", ""),
    )


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Write a table that is as easy to read as text as it is as a page."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [" | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in [head, *rows]]
    rule = "|".join([":" + "-" * (widths[0] + 1), *("-" * (w + 1) + ":" for w in widths[1:])])
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


HEAD = (
    "run",
    "what",
    "median s",
    "min s",
    "CPU s",
    "peak MB",
    "faster than nilearn",
    "memory of nilearn's",
    "times the floor",
    "imports s",
    "with operator s",
)
# Row of ours, what it is called, and what it is compared with.
ROWS = (
    ("floor", "inflating alone", "nilearn"),
    ("nilearn", "nilearn, both maskers", "nilearn"),
    ("seedmap none", "seedmap", "nilearn"),
    ("seedmap many", "seedmap, 1000 seeds", ""),
    ("nilearn command", "nilearn's script", "nilearn command"),
    ("command none", "`seedmap run --no-figures`", "nilearn command"),
    ("nilearn command, figures", "nilearn's script with figures", "nilearn command, figures"),
    ("command none, figures", "`seedmap run`", "nilearn command, figures"),
)


def main_table(results: dict) -> str:
    """Put everything that was measured side by side."""
    rows = []
    for case in results["cases"].values():
        for kind, label, peer in ROWS:
            if kind in case:
                rows.append((case["title"], label, *_cells(case, kind, peer)))
    return markdown(HEAD, rows)


def _cells(case: dict, kind: str, peer: str) -> Iterator[str]:
    one, other = case[kind], case.get(peer)
    yield f"{one['wall']:.2f}"
    yield f"{one['least']:.2f}"
    yield f"{one['cpu']:.2f}"
    yield f"{one['peak'] / MB:.0f}"
    compared = other is not None and other is not one and kind != "floor"
    yield f"{other['wall'] / one['wall']:.1f}x" if compared else ""
    yield f"1/{other['peak'] / one['peak']:.1f}" if compared else ""
    yield f"{one['wall'] / case['floor']['wall']:.1f}"
    yield f"{one['imports']:.2f}" if "imports" in one and kind != "floor" else ""
    beside = case.get(kind.replace("none", "operator")) if "none" in kind else None
    yield f"{beside['wall']:.2f}" if beside else ""


# How many times as long a run may take with error bars.
BARS_OVER = "with error bars, times without"
BARS = {"4mm": 1.5, "2mm": 1.3}


def targets(results: dict) -> Iterator[Target]:
    """Compare what was measured with what has to hold."""
    limits = {"4mm": (50, 3, 2, 8, 4), "2mm": (70, 17, 3, 30, None)}
    for name, case in results["cases"].items():
        title, ours = case["title"], case["seedmap none"]
        speed, memory, floor, command, figures = limits.get(name, (None,) * 5)
        if "nilearn" in case and speed:
            yield Target(title, "times faster", _ratio(case, "nilearn", "wall"), speed, True)
            yield Target(title, "times less memory", _ratio(case, "nilearn", "peak"), memory, True)
        if name == "2mm-1200":
            yield Target(title, "peak GB", ours["peak"] / 1e9, 2, False)
        if floor or name == "2mm-1200":
            over = ours["wall"] / case["floor"]["wall"]
            yield Target(title, "times the floor", over, floor or 3, False)
        if "nilearn command" in case and command:
            whole = _ratio(case, "nilearn command", "wall", "command none")
            yield Target(title, "whole command, times faster", whole, command, True)
        if "nilearn command, figures" in case and figures:
            whole = _ratio(case, "nilearn command, figures", "wall", "command none, figures")
            yield Target(title, "... with figures, times faster", whole, figures, True)
        if name == "2mm" and "seedmap many" in case:
            many = case["seedmap many"]["wall"] / ours["wall"]
            yield Target(title, "1000 seeds over one seed", many, 2, False)


def bar_targets(results: dict) -> Iterator[Target]:
    """Compare what error bars take with what they may take."""
    for name, case in results.get("bars", {}).get("cases", {}).items():
        if name in BARS:
            yield Target(case["title"], BARS_OVER, case["wall"]["ratio"], BARS[name], False)


def bar_table(results: dict) -> str:
    """Show runs with error bars beside the same without."""
    rows = []
    for case in results["bars"]["cases"].values():
        for what, label, digits in (("wall", "s", 2), ("cpu", "CPU s", 2), ("peak", "peak MB", 0)):
            none, bars, ratio = (case[what][way] for way in ("none", "operator", "ratio"))
            row = f"{none:.{digits}f}", f"{bars:.{digits}f}", f"{ratio:.2f}"
            rows.append((case["title"], label, *row))
    return markdown(("run", "median of", "without", "with", "ratio"), rows)


def bars_section(results: dict) -> str:
    """Write the section on error bars; empty where they were not measured by themselves."""
    if "bars" not in results:
        return ""
    found = results["bars"]
    how = f"Made by `{found['command']}` on {found['date']}, {found['turns']} turns each"
    return f"{BARS_TEXT}\n\n{bar_table(results)}\n\n{how}; load of the machine {found['load']}.\n\n"


def _ratio(case: dict, peer: str, what: str, ours: str = "seedmap none") -> float:
    return case[peer][what] / case[ours][what]


def target_table(results: dict) -> str:
    """Say what has to hold and whether it does."""
    rows = [
        (
            target.case,
            target.what,
            f"{target.found:.1f}",
            f"{'at least' if target.at_least else 'at most'} {target.limit:g}",
            "yes" if target.met else "**no**",
        )
        for target in (*targets(results), *bar_targets(results))
    ]
    return markdown(("run", "what", "found", "wanted", "holds"), rows)


# Where a target is missed: whose stages show why, and what was tried.
WHY = {
    "times faster": (("nilearn", "seedmap none", "steps"), ""),
    "times less memory": (("nilearn", "seedmap none"), ""),
    "times the floor": (
        ("floor", "seedmap none", "steps"),
        """Tried: a second thread that smooths beside the one that inflates, where volumes are small
  (no faster, as both cores are busy and frames have to be passed on). One core inflates while the
  other smooths, which takes longer; what is left is that, and a few hundredths of a second for what
  does not depend on the file.""",
    ),
    "whole command, times faster": (("command none", "seedmap none"), ""),
    "... with figures, times faster": (("command none", "command none, figures", "steps"), ""),
    "1000 seeds over one seed": (
        ("seedmap none", "seedmap many", "touch"),
        """Tried: a sphere looks at the voxels around it only; neighbourhoods are found when they are
  asked for; the product of seeds and samples is taken in the run's own coordinates, some seeds and
  samples at a time, on all threads, and written where the maps stand. What is left is that product,
  and the first touch of the maps' memory, which is measured by itself.""",
    ),
}
NAMES = {kind: label for kind, label, _ in ROWS} | {
    "seedmap operator": "seedmap, operator",
    "steps": "one step after the other",
    "touch": "touching the memory of 1000 maps",
}


def missed(results: dict) -> str:
    """Say of each target that is missed what the time is spent on and what was tried."""
    cases = {case["title"]: case for case in results["cases"].values()}
    said = []
    for target in targets(results):
        if target.met:
            continue
        kinds, tried = WHY.get(target.what, (("seedmap none",), ""))
        case = cases[target.case]
        profile = ". ".join(f"{NAMES[k]}: {_profile(case[k])}" for k in kinds if k in case)
        said.append(f"- {target.case}, {target.what}. Seconds: {profile}. {tried}".rstrip())
    return "### What does not hold, and why\n\n" + "\n".join(said) + "\n\n" if said else ""


def _profile(one: dict) -> str:
    """Write the seconds of a kind of work, in all and by stage."""
    stages = "; ".join(f"{name} {seconds:.3g}" for name, seconds in one["stages"].items())
    return (
        f"{one['wall']:.3g} in all, {stages}"
        if len(one["stages"]) > 1
        else stages or f"{one['wall']:.3g}"
    )


def stage_table(results: dict) -> str:
    """Show the stages of both sides as they run."""
    rows = []
    for case in results["cases"].values():
        for kind, label in (
            ("nilearn", "nilearn"),
            ("seedmap none", "seedmap"),
            ("seedmap operator", "seedmap, operator"),
            ("seedmap many", "seedmap, 1000 seeds"),
        ):
            if kind in case:
                text = "; ".join(f"{n} {s:.3g}" for n, s in case[kind]["stages"].items())
                rows.append((case["title"], label, text))
    return markdown(("run", "who", "seconds"), rows)


def step_table(results: dict) -> str:
    """Show what each step costs by itself."""
    cases = [case for case in results["cases"].values() if "steps" in case]
    names = list(cases[0]["steps"]["stages"]) if cases else []
    rows = [
        (case["title"], *(f"{case['steps']['stages'][name]:.3f}" for name in names))
        for case in cases
    ]
    return markdown(("run", *names), rows)
