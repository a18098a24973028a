"""The Boutiques descriptors of ``seedmap bids``, at both levels, and of ``seedmap lesion``.

``python -m seedmap.cli.boutiques > boutiques/seedmap.json`` writes the first from its options, and
``python -m seedmap.cli.boutiques lesion > boutiques/seedmap-lesion.json`` the other; tests compare.
"""

import dataclasses
import json
import re
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from docstring_parser import parse_from_object

from seedmap._version import __version__
from seedmap.cli.group_options import (
    GroupChoice,
    GroupMachine,
    GroupOutput,
    GroupTest,
    ModelOptions,
    RunChoice,
)
from seedmap.cli.lesion import LesionChoice, LesionOutput
from seedmap.cli.study_options import (
    AnalysisOptions,
    CallOptions,
    ChoiceOptions,
    DenoiseOptions,
    PoolOptions,
    StudySeedOptions,
)
from seedmap.temporal import Cleaning

__all__ = ["descriptor", "lesion_descriptor"]

GROUPS = (
    ChoiceOptions,
    StudySeedOptions,
    DenoiseOptions,
    Cleaning,
    AnalysisOptions,
    PoolOptions,
    CallOptions,
)
OVER_PEOPLE = (GroupChoice, ModelOptions, GroupTest, GroupMachine, GroupOutput)
NOTHING = (None, (), "", dataclasses.MISSING)
PLACES = (
    ("bids_dir", "BIDS_DIR", "The derivatives of fMRIPrep.", "File"),
    ("output_dir", "OUTPUT_DIR", "Folder for the results.", "String"),
    (
        "analysis_level",
        "ANALYSIS_LEVEL",
        "participant, or group: test over participants.",
        "String",
    ),
)


def descriptor() -> dict[str, Any]:
    """Describe ``seedmap bids`` for Boutiques (schema 0.5)."""
    inputs = [_place(*place) for place in PLACES]
    first, second = _both_levels()
    inputs[2]["value-choices"] = ["participant", "group"]
    inputs[2]["value-disables"] = {
        "participant": [key for key in second if key not in first],
        "group": [key for key in first if key not in second],
    }
    inputs += (first | {key: one for key, one in second.items() if key not in first}).values()
    about = "Seed-to-voxel correlation maps of a BIDS derivative data set, with error bars."
    found = _described(("seedmap", "bids"), about, inputs, "[OUTPUT_DIR]")
    some = {"code": 3, "description": "Some participants failed; the others are complete."}
    return found | {"error-codes": [*found["error-codes"], some]}


def lesion_descriptor() -> dict[str, Any]:
    """Describe ``seedmap lesion`` for Boutiques (schema 0.5)."""
    about = (
        "Connectivity of patients' lesions in the stored runs of healthy people, and what goes with a score. "
        "Not for decisions about a patient."
    )
    words = "The folder that seedmap bids --store wrote for healthy people."
    groups = (LesionChoice, RunChoice, LesionOutput)
    options = {one["id"]: one for group in groups for one in _options(group)}
    options["out"] |= {"optional": False, "type": "String"}  # it is where Boutiques looks
    inputs = [_place("stores", "STORES", words, "File"), *options.values()]
    return _described(("seedmap-lesion", "lesion"), about, inputs, "[OUT]")


def _place(key: str, value: str, text: str, kind: str) -> dict[str, Any]:
    """Describe an argument that has no flag."""
    return {"id": key, "name": key, "type": kind, "value-key": f"[{value}]", "description": text}


def _described(
    names: tuple[str, str], about: str, inputs: Sequence[dict[str, Any]], results: str
) -> dict[str, Any]:
    """Put a descriptor together: its name and that of the command, its inputs, where results are."""
    keys = " ".join(str(option["value-key"]) for option in inputs)
    return {
        "name": names[0],
        "description": about,
        "tool-version": __version__,
        "schema-version": "0.5",
        "command-line": f"seedmap {names[1]} {keys}",
        "inputs": list(inputs),
        "output-files": [
            {
                "id": "results",
                "name": "results",
                "path-template": results,
                "description": "A BIDS derivative data set: maps, sidecars and pages.",
            }
        ],
        "error-codes": [{"code": 2, "description": "The call is wrong; one line says what to do."}],
    }


def _both_levels() -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return the options of each level by id; what has another type at the second, has another id."""
    first = {one["id"]: one for group in GROUPS for one in _options(group)}
    second = {}
    for option in (one for group in OVER_PEOPLE for one in _options(group)):
        key = option["id"]
        option["description"] = f"At the level group: {option['description']}"
        if key in first and first[key]["type"] == option["type"]:
            first[key]["description"] += f" {option['description']}"
        elif key in first:
            key = f"group_{key}"
            option |= {"id": key, "name": key, "value-key": f"[{key.upper()}]"}
        second[key] = option
    return first, second


def _options(group: type) -> Iterator[dict[str, Any]]:
    """Describe the options of a group: one a field, its help the text beneath it."""
    helps = {one.arg_name: one.description or "" for one in parse_from_object(group).params}
    hints = typing.get_type_hints(group)
    for field in dataclasses.fields(group):
        flag = f"--{field.name.replace('_', '-')}"
        option: dict[str, Any] = {
            "id": field.name,
            "name": field.name,
            "description": " ".join(helps[field.name].split()),
            "optional": field.default is not dataclasses.MISSING,
            "command-line-flag": flag,
            "value-key": f"[{field.name.upper()}]",
            **_kind(hints[field.name]),
        }
        if option["type"] == "Flag" and field.default is True:
            option["command-line-flag"] = f"--no-{flag[2:]}"
            option["description"] = f"Not: {option['description']}"
        elif option["type"] != "Flag" and field.default not in NOTHING:
            option["description"] += f" Default: {_words(field.default)}."
        yield option


def _words(default: object) -> str:
    return " ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _kind(hint: Any) -> dict[str, Any]:
    """Turn a type into Boutiques' words."""
    parts = [one for one in typing.get_args(hint) if one is not NoneType]
    origin = typing.get_origin(hint)
    if origin in (UnionType, typing.Union):
        # None is typed as the word none, so a number that may be none is text.
        return {"type": "File" if parts[0] is Path else "String"} | _choices(parts[0])
    if origin is tuple:
        return {"type": "String", "list": True}
    if hint is bool:
        return {"type": "Flag"}
    if hint in (int, float):
        return {"type": "Number", "integer": hint is int}
    return {"type": "File" if hint is Path else "String"} | _choices(hint)


def _choices(hint: Any) -> dict[str, Any]:
    if typing.get_origin(hint) is not typing.Literal:
        return {}
    return {"value-choices": list(typing.get_args(hint))}


def text(of: str = "bids") -> str:
    """Write a descriptor as JSON, its keys in the order of Boutiques' own examples."""
    found = lesion_descriptor() if of == "lesion" else descriptor()
    return re.sub(r"[ \t]+\n", "\n", json.dumps(found, indent=2)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text(*sys.argv[1:2]))
