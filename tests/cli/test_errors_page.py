"""The page of errors is true: what it says a line says stands in the code."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import seedmap
from seedmap import errors

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ROOT = Path(seedmap.__file__).parent
# What another library says, and we pass on.
NOT_OURS = {"Incorrect checksum found"}


def rows() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [
        [c.strip() for c in line.strip("|").split(" | ")] for line in lines if line[:2] == "| "
    ]
    return [row for row in cells if len(row) == 4 and row[0] != "what is wrong"]


@cache
def literals() -> str:
    """Return all texts of the package, one a line, with ... for each value in them."""
    found = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [v.value if isinstance(v, ast.Constant) else "..." for v in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(" ".join(text.split()) for text in found)


STEMS = [(row[0], stem) for row in rows() for stem in re.findall(r"(?<!`)\*([^*]+)\*", row[2])]


def test_there_are_rows():
    assert len(rows()) > 35
    assert len(STEMS) > 40


@pytest.mark.parametrize(("wrong", "stem"), STEMS, ids=[stem for _, stem in STEMS])
def test_every_stem_still_occurs(wrong, stem):
    said = literals()
    for part in stem.split("..."):
        assert part.strip(" ,;") in said or stem in NOT_OURS, f"{wrong}: {part!r} is said nowhere"


def test_classes_exist():
    named = {name for row in rows() for name in re.findall(r"`(\w+)`", row[1])}
    assert named
    assert named <= set(errors.__all__)


def test_every_class_is_on_the_page():
    named = {name for row in rows() for name in re.findall(r"`(\w+)`", row[1])}
    assert set(errors.__all__) - named == {"SeedmapError", "SeedmapWarning"}
