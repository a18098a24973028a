"""The strategies that users know by name, and those that they write themselves.

Those called ``simple``, ``scrubbing``, ``compcor`` and ``ica_aroma`` choose what nilearn's
``load_confounds_strategy`` chooses.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from seedmap._texts import check_types, read_yaml
from seedmap.denoising.scrubbing import Scrubbing
from seedmap.denoising.strategies import Expansion, Strategy
from seedmap.errors import OptionError

__all__ = ["named", "read_strategy", "strategy_names", "strategy_of"]


def _presets() -> Iterator[Strategy]:
    """Make the strategies that are known by name."""
    yield Strategy(name="none", cosines="without")
    yield Strategy(name="6P", motion="basic")
    yield Strategy(name="9P", motion="basic", wm_csf="basic", global_signal="basic")
    yield Strategy(name="24P", motion="full")
    yield Strategy(name="27P", motion="full", wm_csf="basic", global_signal="basic")
    yield Strategy(name="36P", motion="full", wm_csf="full", global_signal="full")
    yield Strategy(name="acompcor", motion="derivatives", compcor="anat_separated", n_compcor=5)
    # nilearn's own: Wang et al. (2024), doi:10.1371/journal.pcbi.1011942
    yield Strategy(name="simple", motion="full", wm_csf="basic", cosines="with")
    scrubbing = Scrubbing(fd_threshold=0.5, std_dvars_threshold=1.5, min_segment=5)
    yield Strategy(
        name="scrubbing", motion="full", wm_csf="full", cosines="with", scrubbing=scrubbing
    )
    yield Strategy(name="compcor", motion="full", compcor="anat_combined", cosines="with")
    yield Strategy(name="ica_aroma", wm_csf="basic", cosines="with", desc="smoothAROMAnonaggr")


PRESETS = {strategy.name: strategy for strategy in _presets()}
SCRUB = Scrubbing(fd_threshold=0.5, std_dvars_threshold=None, min_segment=5)


def strategy_names() -> tuple[str, ...]:
    """Return the names that `named` knows, without endings."""
    return tuple(PRESETS)


def named(name: str) -> Strategy:
    """Return a strategy by name.

    Parameters
    ----------
    name
        One of `strategy_names`. An ending ``_gsr`` also takes the global signal, as wide as the
        white matter's and at least itself; ``_scrub`` also drops frames with a displacement above
        0.5 mm, and segments shorter than 5 frames between them.

    Raises
    ------
    OptionError
        If there is no such strategy.

    References
    ----------
    Ciric et al. (2017), NeuroImage 154, 174, doi:10.1016/j.neuroimage.2017.03.020.

    Examples
    --------
    >>> named("36P").motion
    'full'
    >>> named("24P_gsr_scrub").scrubbing.fd_threshold
    0.5
    """
    known = {key.lower(): strategy for key, strategy in PRESETS.items()}
    rest = name.lower()
    endings: list[str] = []
    while rest not in known and rest.endswith(("_gsr", "_scrub")):
        rest, _, ending = rest.rpartition("_")
        endings.insert(0, ending)
    if rest not in known:
        near = difflib.get_close_matches(name, PRESETS, n=2)
        hint = f" (near: {', '.join(near)})" if near else ""
        msg = (
            f"strategy {name!r} is not known{hint}; choose one of {', '.join(PRESETS)}, with _gsr or "
            "_scrub behind it, or give a YAML file"
        )
        raise OptionError(msg)
    strategy = known[rest]
    if "gsr" in endings:
        width: Expansion = "basic" if strategy.wm_csf == "none" else strategy.wm_csf
        strategy = replace(strategy, global_signal=width)
    if "scrub" in endings and strategy.scrubbing is None:
        strategy = replace(strategy, scrubbing=SCRUB)
    return replace(strategy, name="_".join([strategy.name, *endings]))


def read_strategy(path: str | Path) -> Strategy:
    """Read a strategy of one's own from YAML.

    Its keys are the fields of `Strategy`, those of `Scrubbing` beneath ``scrubbing``; ``base``
    names a strategy to begin with. Without a ``name`` the file's name is taken.

    Raises
    ------
    MissingFile
        If the file is not there.
    OptionError
        If it is no YAML, or has a key or value that is not known.
    """
    path = Path(path).expanduser()
    content = read_yaml(path, "strategy")
    base = content.pop("base", None)
    known = {field.name for field in fields(Strategy)}
    _check_keys(content, known, path)
    content.setdefault("name", path.stem)
    if isinstance(content.get("columns"), str):
        content["columns"] = [content["columns"]]
    try:
        if content.get("scrubbing") is not None:
            content["scrubbing"] = _scrubbing(content["scrubbing"], path)
        check_types(content, Strategy, path)
        if "columns" in content:
            content["columns"] = tuple(content["columns"])
        return replace(named(str(base)), **content) if base else Strategy(**content)
    except OptionError as error:
        msg = str(error) if str(error).startswith(f"{path}: ") else f"{path}: {error}"
        raise OptionError(msg) from error


def _scrubbing(content: Any, path: Path) -> Scrubbing:
    """Read the rules of scrubbing."""
    if not isinstance(content, Mapping):
        msg = f"{path}: scrubbing is {repr(content)[:40]}; a table, such as fd_threshold: 0.5, is wanted"
        raise OptionError(msg)
    parts = {str(key): value for key, value in content.items()}
    _check_keys(parts, {field.name for field in fields(Scrubbing)}, path)
    check_types(parts, Scrubbing, path)
    return Scrubbing(**parts)


def strategy_of(given: Strategy | str | Path) -> Strategy:
    """Return the strategy that is meant: itself, one by name, or one of a YAML file.

    Raises
    ------
    MissingFile, OptionError
        As `named` and `read_strategy` do.
    """
    if isinstance(given, Strategy):
        return given
    text = str(given)
    return read_strategy(text) if text.endswith((".yaml", ".yml")) else named(text)


def _check_keys(content: Mapping[str, Any], known: set[str], path: Path) -> None:
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = (
                f"; did you mean {near[0]!r}?"
                if near
                else f"; known are {', '.join(sorted(known))}"
            )
            msg = f"{path}: a strategy has no {key!r}{hint}"
            raise OptionError(msg)
