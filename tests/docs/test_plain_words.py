"""Names, comments, pages and messages use the field's words, not pictures."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("src", "docs", "examples", "changes", "tests", "README.md", "CONTRIBUTING.md")
SUFFIXES = {".py", ".md", ".rst", ".j2", ".html", ".js", ".css", ".toml"}
# Of which each has a plain verb or noun: extract, sample, pass, report, state, show, memory, layer.
PICTURES = re.compile(
    r"(?<![a-z])(listen(s|ed|ing)?|hears?|heard|hearing|unheard|hands?|handed|houses?|doors?|"
    r"shelf|shelves|tells?|told|telling|story|stories|rooms?|roomy|floors?|glances?|homes?)(?![a-z])",
    re.IGNORECASE,
)
# What is meant literally: sockets, keys, rounding, the least time of a benchmark, history.
LITERAL = re.compile(
    r"listen(s|ed)? on|\.listen\(|Key Home|<kbd>Home</kbd>|Home: \(\) =>|\| Home \||\"Home\"|"
    r"(Math|np)\.floor|# floor\(|\(`door`, `hands`, `shelf`\)"
)
# The floor of a benchmark is the time that nothing can go below; its pages are written by it.
FLOORS = ("docs/benchmarks", "tests/benchmarks/")


def lines():
    """Yield the lines of all texts: path from the root, number, text."""
    for place in PLACES:
        found = [ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*")
        for path in found:
            named = path.relative_to(ROOT).as_posix()
            if path.suffix not in SUFFIXES or "_build" in named or path == Path(__file__):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                yield named, number, line


def pictures_in(named, line):
    """Return the pictures of a line that are not meant literally."""
    found = [match[0] for match in PICTURES.finditer(LITERAL.sub("", line))]
    return [word for word in found if word != "floor" or not named.startswith(FLOORS)]


def test_no_picture_stands_for_a_word_of_the_field():
    found = [
        f"{named}:{number}: {line.strip()}"
        for named, number, line in lines()
        if pictures_in(named, line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("def listen(self, seeds):", ["listen"]),
        ("a name that does not tell its space", ["tell"]),
        ("_ROOMS = ()", ["ROOMS"]),
        ("canvas.addEventListener('click', act)", []),
        ("Port to listen on", []),
        ("np.floor(x), a floor", ["floor"]),
        ("stored, storing, history, whole, handle, shear, heart", []),
    ],
)
def test_what_counts_as_a_picture(line, words):
    assert pictures_in("src/any.py", line) == words
