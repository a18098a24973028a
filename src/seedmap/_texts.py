"""Text files that people and programs write: read as JSON or YAML, or refused in one line."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from seedmap._files import check_there
from seedmap.errors import OptionError, SeedmapError

__all__ = ["check_types", "one_line", "read_json", "read_text", "read_yaml", "without_folders"]

# Digits of a whole number beyond which it is read as a float, as every other program does.
MOST_DIGITS = 18
# Values in a YAML file: references let a small file stand for more than any memory holds.
MOST_VALUES = 100_000
LONGEST_REASON = 200
# Where an absolute path begins, which is not inside an address; how far it may go, with blanks.
ROOT = re.compile(r"(?<![^\s\"'(\[=,;|])(?:[A-Za-z]:)?[/\\](?=[^\s/\\])")
UNBROKEN, WITH_BLANKS = re.compile(r"[^\s\"'<>()|,;=]+"), re.compile(r"[^\"'<>()|\n]+")
MOST_BLANKS = 20
QUOTED = re.compile(r"(['\"])[\w.-]*=?\Z")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def one_line(error: object) -> str:
    """Write an exception on one line, cut where it is long; its type where it says nothing."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} ..."


def without_folders(text: str) -> str:
    """Write files without the folders that lead to them on this machine.

    For what leaves the machine. A file in the current folder keeps its way from there, one in the
    user's own folder (~) its way from that, any other its name.

    Examples
    --------
    >>> without_folders("seedmap run /data/ann/x_bold.nii.gz --seed M=/data/mask.nii.gz#3")
    'seedmap run x_bold.nii.gz --seed M=mask.nii.gz#3'
    >>> without_folders("z/se 1/2, see https://a.org/b/c")
    'z/se 1/2, see https://a.org/b/c'
    """
    for folder, short in ((Path.cwd(), "."), (Path("~").expanduser(), "~")):
        whole = str(folder)
        if len(folder.parts) > 1 and whole in text:
            text = re.sub(rf"{re.escape(whole)}[/\\]", "", text)
            text = re.sub(rf"{re.escape(whole)}(?![\w.-])", short, text)
    parts, start = [], 0
    for root in ROOT.finditer(text):
        if root.start() >= start:
            end = _end_of_path(text, root.start())
            path = re.split(r"[/\\]", text[root.start() : end])
            parts += [text[start : root.start()], next((one for one in path[::-1] if one), "")]
            start = end
    return "".join([*parts, text[start:]])


def _end_of_path(text: str, start: int) -> int:
    """Return where a path ends: where its quotes do, else the longest that is there, else at a blank."""
    quoted = QUOTED.search(text, 0, start)
    if quoted and (close := text.find(quoted[1], start)) > start:
        return close
    found = WITH_BLANKS.match(text, start)
    words = found[0].split(" ")[:MOST_BLANKS] if found else []
    for count in range(len(words), 1, -1):
        path = " ".join(words[:count]).rstrip(",;:.")
        with suppress(OSError):
            if Path(path.partition("#")[0]).exists():
                return start + len(path)
    unbroken = UNBROKEN.match(text, start)
    return unbroken.end() if unbroken else start


def read_text(path: Path, role: str, kind: type[SeedmapError] = OptionError) -> str:
    """Read a text in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    path
        The file.
    role
        What messages call it, such as ``"table of seeds"``.
    kind
        The error for what cannot be read.

    Raises
    ------
    MissingFile
        If it is not there.
    SeedmapError
        If it cannot be read: of the type ``kind``.
    """
    check_there(path, role)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: this {role} cannot be read ({one_line(error)}); a text in UTF-8 is wanted"
        raise kind(msg) from error


def read_json(path: Path, role: str, kind: type[SeedmapError] = OptionError) -> Any:
    """Read a JSON file; parameters and errors as of `read_text`.

    Whole numbers of more than 18 digits are floats. A text that holds half a character (a lone
    surrogate), which nothing can write again, is refused.
    """
    text = read_text(path, role, kind)
    try:
        content = json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        msg = f"{path}: this {role} is not JSON that can be read ({one_line(error)}); mend or remove it"
        raise kind(msg) from error
    _check_texts(content, path, role, kind)
    return content


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


def read_yaml(path: Path, role: str, kind: type[SeedmapError] = OptionError) -> dict[str, Any]:
    """Read a YAML file that holds a table of keys and values; parameters and errors as of `read_text`.

    An empty file is an empty table.
    """
    import yaml

    text = read_text(path, role, kind)
    try:
        content = yaml.safe_load(text)
    except Exception as error:  # yaml raises whatever its constructors come upon
        msg = f"{path}: this {role} is not YAML that can be read ({one_line(error)}); mend it"
        raise kind(msg) from error
    _check_texts(content, path, role, kind)
    if not isinstance(content, dict | None):
        msg = f"{path}: this {role} holds a {type(content).__name__}; a table of keys and values is wanted"
        raise kind(msg)
    return {str(key): value for key, value in (content or {}).items()}


def _check_texts(content: Any, path: Path, role: str, kind: type[SeedmapError]) -> None:
    """Refuse what holds too much, or a text that nothing can write."""
    for number, value in enumerate(_values(content)):
        if number > MOST_VALUES:
            msg = f"{path}: this {role} holds more than {MOST_VALUES:,} values; give a smaller one"
            raise kind(msg)
        if isinstance(value, str) and LONE_SURROGATE.search(value):
            msg = f"{path}: this {role} holds {value[:40]!r}, which is no text; mend it"
            raise kind(msg)


def _values(content: Any) -> Iterator[Any]:
    """List all keys and values of a tree, as often as they are referred to."""
    left = [content]
    while left:
        value = left.pop()
        yield value
        if isinstance(value, Mapping):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            left += value


def check_types(options: Mapping[str, Any], fields_of: type, path: Path) -> None:
    """Refuse a value of a table that is of another type than the field of a dataclass.

    Raises
    ------
    OptionError
        If there is one.
    """
    hints = get_type_hints(fields_of)
    for name, value in options.items():
        if name in hints and not _fits(value, hints[name]):
            wanted = " or ".join(dict.fromkeys(_names_of(hints[name])))
            msg = f"{path}: {name} is {repr(value)[:40]}; {wanted} is wanted"
            raise OptionError(msg)


WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return isinstance(value, str)  # which texts are known, the class itself says
    if get_origin(hint) is tuple:
        return isinstance(value, list | tuple) and all(_fits(v, get_args(hint)[0]) for v in value)
    if hint in (int, float):
        return isinstance(value, (int, float) if hint is float else int) and not isinstance(
            value, bool
        )
    return isinstance(value, hint)


def _names_of(hint: Any) -> Iterator[str]:
    if get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from _names_of(one)
    elif get_origin(hint) is tuple:
        yield "a list of texts"
    elif get_origin(hint) is Literal:
        yield "a text"
    elif hint is type(None):
        yield "null"
    else:
        yield WORDS.get(hint, f"a {hint.__name__}")
