"""Formulas of models and contrasts, read by a parser of our own.

A model is names joined by ``+``, ``:`` and ``*``, ``C(name)`` for a number that is a factor, and
``- 1`` for no intercept. A contrast is a sum of names and levels with weights, or several in brackets.
Nothing in a formula is evaluated as code: it may come from somebody else's file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NoReturn

from seedmap.errors import OptionError

__all__ = ["Formula", "Name", "Part", "Summand", "parse_contrast", "parse_formula", "words_of"]

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)(?![\w.])|(?P<name>[^\W\d][\w.]*)"
    r"|(?P<quoted>\"[^\"]*\"|'[^']*'|`[^`]*`)|(?P<sign>[-+:*()\[\],]))"
)


@dataclass(frozen=True)
class Name:
    """A column of the table, and whether it is a factor even where it holds numbers."""

    column: str
    factor: bool = False


@dataclass(frozen=True)
class Formula:
    """A model.

    Attributes
    ----------
    text : str
        As it was written.
    terms : tuple of tuple of Name
        Products of columns, each once, in order.
    intercept : bool
        Whether there is one.
    """

    text: str
    terms: tuple[tuple[Name, ...], ...]
    intercept: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns used, each once."""
        return tuple(dict.fromkeys(name.column for term in self.terms for name in term))


@dataclass(frozen=True)
class Part:
    """A name in a contrast: a column, a level, or ``column[level]``."""

    name: str
    level: str | None = None


@dataclass(frozen=True)
class Summand:
    """A weight times a product of names; no names stand for the mean."""

    weight: float
    parts: tuple[Part, ...]


class _Reader:
    """The tokens of a text, taken one after the other."""

    def __init__(self, text: str, role: str) -> None:
        self.text, self.role, self.at = text, role, 0
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = TOKEN.match(text, place)
            if found is None:
                rest = text[place:].strip()
                self.fail(f"{rest[0]!r} is not understood")
            self.tokens.append((str(found.lastgroup), found[0].strip()))
            place = found.end()
        if not self.tokens:
            self.fail("it is empty")

    def fail(self, what: str) -> NoReturn:
        """Refuse the text for something in it."""
        form = (
            "write it like group + age + C(site)"
            if self.role == "model"
            else "write it like age, patient - control or [a - b, b - c]"
        )
        msg = f"{self.role} {self.text!r}: {what}; {form}"
        raise OptionError(msg)

    def next(self, *wanted: str) -> str | None:
        """Take the next token if it is one of these signs."""
        if self.at < len(self.tokens) and self.tokens[self.at] in [("sign", w) for w in wanted]:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def take(self, *kinds: str) -> str | None:
        """Take the next token if it is of one of these kinds."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] in kinds:
            self.at += 1
            text = self.tokens[self.at - 1][1]
            return text[1:-1] if self.tokens[self.at - 1][0] == "quoted" else text
        return None

    @property
    def ended(self) -> bool:
        """Whether all is read."""
        return self.at == len(self.tokens)

    @property
    def here(self) -> str:
        """What stands next, in words."""
        return "it ends too early" if self.ended else f"{self.tokens[self.at][1]!r} is misplaced"


def parse_formula(text: str) -> Formula:
    """Read a model.

    Raises
    ------
    OptionError
        If it is not a formula.

    Examples
    --------
    >>> parse_formula("group*age - 1").terms[-1]
    (Name(column='group', factor=False), Name(column='age', factor=False))
    """
    read = _Reader(text, "model")
    terms: list[tuple[Name, ...]] = []
    intercept = True
    sign: str | None = read.next("+", "-") or "+"
    while sign:
        number = read.take("number")
        if number is not None and number in "01":
            intercept = (number == "1") == (sign == "+")
        elif number is not None:
            read.fail(f"{number} is neither 0 nor 1")
        elif sign == "-":
            read.fail("only 1 can be taken away")
        else:
            terms += _product(read)
        sign = read.next("+", "-")
    if not read.ended:
        read.fail(read.here)
    unique = {frozenset(name.column for name in term): term for term in reversed(terms)}
    kept = tuple(term for term in dict.fromkeys(terms) if term in unique.values())
    if not kept and not intercept:
        read.fail("nothing is left in it")
    ordered = tuple(sorted(kept, key=len))
    return Formula(text, ordered, intercept)


def _product(read: _Reader) -> list[tuple[Name, ...]]:
    """Read names joined by ``:`` and ``*``; ``a*b`` is a, b and a:b."""
    groups = [[_name(read)]]
    while sign := read.next(":", "*"):
        name = _name(read)
        if sign == ":":
            groups[-1].append(name)
        else:
            groups.append([name])
    found: list[tuple[Name, ...]] = []
    for size in range(1, len(groups) + 1):
        found += [
            tuple(dict.fromkeys(name for group in chosen for name in group))
            for chosen in combinations(groups, size)
        ]
    return found


def _name(read: _Reader) -> Name:
    name = read.take("name", "quoted")
    if name is None:
        read.fail(read.here)
    if read.next("("):
        if name != "C":
            read.fail(f"{name}() is not known; only C() is, for factors")
        inside = read.take("name", "quoted")
        if inside is None or not read.next(")"):
            read.fail("C() holds the name of one column")
        return Name(inside, factor=True)
    return Name(name)


def parse_contrast(text: str) -> tuple[tuple[Summand, ...], ...]:
    """Read a contrast: one sum of names and levels for a t, several in brackets for an F.

    Raises
    ------
    OptionError
        If it is none.

    Examples
    --------
    >>> parse_contrast("0.5*a - b")[0][1]
    Summand(weight=-1.0, parts=(Part(name='b', level=None),))
    """
    read = _Reader(text, "contrast")
    if not read.next("["):
        rows = [_sum(read)]
    else:
        rows = [_sum(read)]
        while read.next(","):
            rows.append(_sum(read))
        if not read.next("]"):
            read.fail("the bracket is not closed" if read.ended else read.here)
    if not read.ended:
        read.fail(read.here)
    return tuple(rows)


def _sum(read: _Reader) -> tuple[Summand, ...]:
    found: list[Summand] = []
    sign: str | None = read.next("+", "-") or "+"
    while sign:
        number = read.take("number")
        if number is not None and not read.next("*"):
            read.fail(f"the number {number} stands alone; a weight is followed by * and a name")
        weight = (1.0 if number is None else float(number)) * (-1.0 if sign == "-" else 1.0)
        parts = [_part(read)]
        while read.next(":"):
            parts.append(_part(read))
        found.append(Summand(weight, tuple(parts)))
        sign = read.next("+", "-")
    return tuple(found)


def _part(read: _Reader) -> Part:
    name = read.take("name", "quoted")
    if name is None:
        read.fail(read.here)
    if not read.next("["):
        return Part(name)
    level = read.take("name", "quoted", "number")
    if level is None or not read.next("]"):
        read.fail("a level in brackets is one word, a number or in quotes")
    return Part(name, level)


def words_of(rows: Sequence[tuple[Summand, ...]]) -> str:
    """Return a label for file names: letters and digits only.

    Examples
    --------
    >>> words_of(parse_contrast("patient - control"))
    'patientMinusControl'
    """
    said: list[str] = []
    for row in rows:
        for summand in row:
            size = abs(summand.weight)
            word = "Minus" if summand.weight < 0 else "Plus" if said else ""
            word += "" if size == 1 else f"{size:g}".replace(".", "p").replace("-", "m")
            names = [f"{p.name} {p.level}" if p.level else p.name for p in summand.parts]
            plain = [re.sub(r"[^A-Za-z0-9]", "", name) for name in names]
            joined = "By".join([plain[0], *(one[:1].upper() + one[1:] for one in plain[1:])])
            said.append(word + (joined[:1].upper() + joined[1:] if word else joined))
    return "".join(said)
