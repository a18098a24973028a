"""The command line: one function a verb, one line for every error.

Exit codes: 0 done; 2 the input is wrong, in one line on standard error; 3 some
participants of a study failed; 130 interrupted; 128 and its number: stopped by
another signal; 1 a fault of seedmap itself, with its traceback.
"""

import gc
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cyclopts import App, Parameter

from seedmap._version import __version__
from seedmap.cli.config import spell_out
from seedmap.cli.ending import check_words, ending
from seedmap.cli.help import PlainFormatter, typed
from seedmap.cli.invocation import called_with, record, typed_words
from seedmap.cli.printing import prepare_streams, say, settle_streams
from seedmap.cli.signals import stopped_by_signals
from seedmap.cli.wording import as_typed, one_line
from seedmap.errors import SeedmapWarning

__all__ = ["main"]

HELP = """Seed-to-voxel correlation maps of fMRI runs.

Begin with `seedmap demo`: it makes a small run with a known answer, finds its default mode
network and writes maps, figures and a page. `seedmap VERB --help` shows an example of each verb.
"""

VERBS = {
    "run": "Correlate seeds with every voxel of one run and write the maps.",
    "explore": "Explore a run in the browser: click a voxel, the map is there.",
    "bids": "Make the maps of a whole study from a BIDS derivative folder.",
    "group": "Test over participants what their maps have in common, or how they differ.",
    "lesion": "See lesions of patients through the runs of healthy people, and what goes with a score.",
    "pack": "Put a study's stored runs together, so that maps over people are made at once.",
    "verify": "Check the error bars on your own run, by simulation and against nilearn.",
    "demo": "Make a small run with a known answer, find its default mode network.",
    "fetch": "Download or make data to try seedmap on.",
    "completion": "Print what lets a shell complete verbs and options.",
}
# What each verb wants beside its options.
USAGE = {
    "run": "BOLD --seed NAME=x,y,z [OPTIONS]",
    "explore": "BOLD [OPTIONS]",
    "bids": "BIDS_DIR OUTPUT_DIR participant --seed NAME=x,y,z [OPTIONS]",
    "group": "DERIVATIVES --seed NAME [OPTIONS]",
    "lesion": "STORES --lesions TABLE --score COLUMN [OPTIONS]",
    "pack": "RESULTS [OPTIONS]",
    "verify": "BOLD --seed NAME=x,y,z [OPTIONS]",
    "demo": "[OPTIONS]",
    "fetch": "DATASET [OPTIONS]",
    "completion": "SHELL",
}
# Verbs that map one run and end: to search for garbage in between is a tenth of their time.
BRIEF = {"run", "demo"}
BRIEF_COLLECTIONS = (50_000, 5, 10)


def group_level(tokens: Sequence[str]) -> list[str]:
    """Write the second level of a BIDS App as the verb that it is.

    Examples
    --------
    >>> group_level(["bids", "in", "out", "group", "--seed", "PCC"])
    ['group', 'out', '--seed', 'PCC']
    """
    if len(tokens) < 4 or tokens[0] != "bids" or tokens[3] != "group":
        return list(tokens)
    table = Path(tokens[1]) / "participants.tsv"
    options = [token.replace("_", "-") if token.startswith("--") else token for token in tokens[4:]]
    given = any(token.partition("=")[0] == "--design" for token in options)
    design = ["--design", str(table)] if table.is_file() and not given else []
    return ["group", tokens[2], *options, *design]


def build_app(called: str = "") -> App:
    """Put the verbs together; the one that is ``called`` gives its own help.

    Only that one is imported, which halves the time to start; of the others one line is known.
    """
    app = App(
        name="seedmap",
        help=HELP,
        version=__version__,
        version_flags=["--version"],
        suppress_keyboard_interrupt=False,  # `main` says that nothing was left
        help_formatter=PlainFormatter(),
        default_parameter=Parameter(show_default=typed),
    )
    for verb, text in VERBS.items():
        app.command(
            f"seedmap.cli.{verb}:{verb}",
            name=verb,
            help=None if verb == called else text,
            usage=f"Usage: seedmap {verb} {USAGE[verb]}",
        )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    brief = bool(tokens) and tokens[0] in BRIEF
    with (
        warnings.catch_warnings(),
        called_with(tokens),
        stopped_by_signals(),
        _collecting(rarely=brief),
    ):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", SeedmapWarning)
        warnings.showwarning = _show_warning
        try:
            code = _carry_out(tokens)
            settle_streams()
        except (Exception, KeyboardInterrupt) as error:
            found = ending(error)
            if found is None:
                raise
            line, code = found
            say(f"seedmap: {as_typed(line, tokens)}")
            with suppress(OSError):
                settle_streams()
    return code


@contextmanager
def _collecting(*, rarely: bool) -> Iterator[None]:
    """Look for objects that only refer to each other less often."""
    before = gc.get_threshold()
    if rarely:
        gc.set_threshold(*BRIEF_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _carry_out(tokens: list[str]) -> int:
    """Call the verb that is meant, and return its exit code."""
    check_words(tokens)
    words = spell_out(group_level(tokens))
    check_words(words)
    code = build_app(words[0] if words else "")(
        words, exit_on_error=False, print_error=False, result_action="return_value"
    )
    return code if isinstance(code, int) else 0


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line that says what to do."""
    line = f"seedmap: note: {as_typed(one_line(message), typed_words())}"
    record(line)
    say(line)
