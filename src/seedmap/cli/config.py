"""Options from a configuration file, and options spelled with underscores."""

import re
from pathlib import Path
from typing import Any

from seedmap._texts import read_yaml

__all__ = ["spell_out"]


def spell_out(tokens: list[str]) -> list[str]:
    """Write options with hyphens, and add those of the configuration file (``--config-file``).

    What stands on the command line goes before what stands in the file.

    Examples
    --------
    >>> spell_out(["bids", "in", "out", "participant", "--task_id", "my_task"])
    ['bids', 'in', 'out', 'participant', '--task-id', 'my_task']
    """
    plain = [_hyphens(token) for token in tokens]
    given = {token.partition("=")[0] for token in plain}
    for number, token in enumerate(plain):
        flag, found, value = token.partition("=")
        if flag == "--config-file":
            path = value if found else (plain[number + 1] if number + 1 < len(plain) else "")
            rest = plain[:number] + plain[number + (1 if found else 2) :]
            return rest + _from_file(Path(path), given)
    return plain


def _hyphens(token: str) -> str:
    if not re.match(r"--[A-Za-z]", token):
        return token
    flag, found, value = token.partition("=")
    return flag.replace("_", "-") + found + value


def _from_file(path: Path, given: set[str]) -> list[str]:
    """Turn a YAML table of options into tokens."""
    content = read_yaml(path, "configuration file (--config-file)")
    tokens: list[str] = []
    for key, value in content.items():
        flag = "--" + str(key).lstrip("-").replace("_", "-")
        if flag not in given:
            tokens += _tokens(flag, value)
    return tokens


def _tokens(flag: str, value: Any) -> list[str]:
    if value is True:
        return [flag]
    if value is False:
        return [f"{flag}=false"]
    values = value if isinstance(value, list) else ["none" if value is None else value]
    return [flag, *map(str, values)]
