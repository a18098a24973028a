"""Messages as somebody who typed a command wants them: options by the names that were typed."""

import re
from collections.abc import Collection

__all__ = ["as_typed", "one_line"]

# Options of Python that are flags here; the first flag is used where none was typed.
FLAGS: dict[str, tuple[str, ...]] = {
    "confound_columns": ("--confound-columns",),
    "confounds": ("--confounds",),
    "detrend": ("--detrend",),
    "edges": ("--edges",),
    "fd_threshold": ("--fd-thresh", "--fd-threshold"),
    "fill": ("--fill",),
    "filter": ("--filter",),
    "high_pass": ("--high-pass",),
    "idle_minutes": ("--idle-minutes",),
    "low_pass": ("--low-pass",),
    "mask_img": ("--mask-img", "--mask"),
    "max_lag": ("--max-lag",),
    "max_memory": ("--max-memory",),
    "measure": ("--measure",),
    "min_participants": ("--min-participants",),
    "n_frames": ("--n-frames",),
    "n_jobs": ("--n-jobs",),
    "n_subjects": ("--n-subjects",),
    "order": ("--order",),
    "pairs": ("--pairs",),
    "port": ("--port",),
    "radius": ("--radius",),
    "sample_mask": ("--sample-mask",),
    "smoothing_fwhm": ("--smoothing-fwhm", "--smoothing"),
    "standardize_confounds": ("--standardize-confounds",),
    "strategy": ("--strategy", "--denoise-strategy", "--nuisance-regressors", "-p"),
    "surfaces": ("--surface-left",),
    "t_r": ("--t-r",),
    "uncertainty": ("--uncertainty",),
}
# Of what may come from elsewhere, such as a seed's own text or a file, only what was typed is one.
ONLY_TYPED = ("fd_threshold", "order", "radius")
NAME = rf"(?<![\w.'/-])({'|'.join(FLAGS)})"
WHOLE = r"(?<=\d)\.0$"  # what Python adds to a whole number
VALUE = r"(None|True|False|'[^']*'|\"[^\"]*\"|[-+]?[\w.]+)"


def one_line(message: object) -> str:
    """Write a message on one line."""
    return " ".join(str(message).split())


def as_typed(text: str, tokens: Collection[str]) -> str:
    """Write options in a message as flags, and as the flags that were typed.

    Parameters
    ----------
    text
        The message.
    tokens
        The words of the command.

    Examples
    --------
    >>> as_typed("low_pass=0.5 Hz; give t_r (--t-r) in seconds", ["--low-pass", "0.5"])
    '--low-pass 0.5 Hz; give --t-r in seconds'
    >>> as_typed("mask_img='epi' is a rule", ["--mask", "epi"])
    '--mask epi is a rule'
    """
    typed = {token.partition("=")[0] for token in tokens}

    def flag(name: str) -> str:
        flags = FLAGS[name]
        return next((one for one in flags if one in typed), "" if name in ONLY_TYPED else flags[0])

    def value(found: re.Match[str]) -> str:
        name, given = found[1], found[2].strip("'\"")
        if not (as_flag := flag(name)):
            return found[0]
        return f"{as_flag} {'none' if given == 'None' else re.sub(WHOLE, '', given)}"

    text = re.sub(rf"{NAME}(?:={VALUE})? \((--[^()]+)\)", r"\3", text)
    text = re.sub(r"\{[^{}]*\} or (?=--)|surfaces=, (?=--)", "", text)
    return re.sub(rf"{NAME}={VALUE}", value, text)
