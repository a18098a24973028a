"""From a formula and a table to a design, and from a contrast's words to its weights.

Covariates are centred over the people used, and factors coded so that the intercept is the mean over
levels: the intercept is always the average person. In a model without intercept its first factor has a
column a level.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np

from seedmap._linear import DEPENDENT, Floats, SplitDesign, split_design
from seedmap.errors import OptionError
from seedmap.group.formula import Formula, Part, Summand, parse_contrast, words_of

__all__ = [
    "Contrast",
    "Covariate",
    "Design",
    "Factor",
    "build_design",
    "nearest",
    "read_contrast",
    "repeated_columns",
]

MEAN = "mean"


@dataclass(frozen=True, eq=False)
class Covariate:
    """A column of numbers, centred over the people used."""

    name: str
    values: Floats
    """Centred, shape (people,)."""

    mean: float
    """What was subtracted."""


@dataclass(frozen=True, eq=False)
class Factor:
    """A column of levels.

    Attributes
    ----------
    levels : tuple of str
        In alphabetical order.
    codes : ndarray, shape (levels, columns)
        Row of each level: one column a level, or one less that sum to 0 over levels.
    values : ndarray of int, shape (people,)
        Level of each person.
    """

    name: str
    levels: tuple[str, ...]
    codes: Floats
    values: np.ndarray


Variable = Covariate | Factor


@dataclass(frozen=True, eq=False)
class Design:
    """A model with its numbers.

    Attributes
    ----------
    formula : Formula
        The model.
    people : tuple of str
        Labels of the participants, in the order of the rows.
    variables : dict of str to Covariate or Factor
        The columns used.
    terms : tuple of tuple of str
        Names of the columns of the table in each term; the intercept is the empty term.
    matrix : ndarray, shape (people, columns)
        The design.
    columns : tuple of str
        Names of its columns.
    """

    formula: Formula
    people: tuple[str, ...]
    variables: Mapping[str, Variable]
    terms: tuple[tuple[str, ...], ...]
    matrix: Floats
    columns: tuple[str, ...]

    def row(self, covariates: frozenset[str], levels: Mapping[str, str]) -> Floats:
        """Return the weights of a slope in some covariates (or a mean) at some levels.

        Factors whose level is not given are averaged over their levels.
        """
        found = []
        for term in self.terms:
            ours = frozenset(n for n in term if isinstance(self.variables[n], Covariate))
            code = np.ones(1)
            for name in term:
                variable = self.variables[name]
                if isinstance(variable, Factor):
                    at = variable.codes.mean(axis=0)
                    if name in levels:
                        at = variable.codes[variable.levels.index(levels[name])]
                    code = np.outer(code, at).ravel()
            found.append(code if ours == covariates else np.zeros_like(code))
        return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Contrast:
    """What is asked of a design.

    Attributes
    ----------
    text : str
        As it was written.
    label : str
        For file names.
    weights : ndarray, shape (contrasts, columns)
        Weights of the design's columns.
    of_factor : bool
        Whether levels of a factor are compared, and no slopes.
    levels : tuple of (str, str)
        Factors and levels that it names.
    tested : SplitDesign
        The design split by it.
    of_change : bool
        Whether it is asked of changes within people (``ses-2 - ses-1``).
    """

    text: str
    label: str
    weights: Floats
    of_factor: bool
    levels: tuple[tuple[str, str], ...]
    tested: SplitDesign
    of_change: bool = False

    @property
    def has_mean(self) -> bool:
        """Whether it contains the mean over people, so that signs are flipped."""
        return not self.tested.constant_in_null

    @property
    def mean_of_maps(self) -> bool:
        """Whether it contains the mean of people's maps, which is large near the seed by construction.

        The mean of changes within people is not.
        """
        return self.has_mean and not self.of_change


def build_design(
    formula: Formula, cells: Callable[[str], Sequence[str | None]], people: Sequence[str]
) -> Design:
    """Make the design of some people.

    Parameters
    ----------
    formula
        The model.
    cells
        From the name of a column to its cells, one a person; none of them missing.
    people
        Labels of the people.

    Raises
    ------
    OptionError
        If a column does not vary, or text and numbers are mixed up.
    """
    forced = {name.column for term in formula.terms for name in term if name.factor}
    terms = [tuple(name.column for name in term) for term in formula.terms]
    variables: dict[str, Variable] = {}
    full = not formula.intercept
    for name in formula.columns:
        found = _variable(name, cells(name), people, forced=name in forced, full=full)
        if isinstance(found, Factor) and (name,) in terms:
            full = False
        variables[name] = found
    if formula.intercept:
        terms.insert(0, ())
    blocks, names = zip(*(_block(term, variables, len(people)) for term in terms), strict=True)
    matrix = np.hstack(blocks)
    columns = tuple(one for block in names for one in block)
    return Design(formula, tuple(people), variables, tuple(terms), matrix, columns)


def _variable(
    name: str, cells: Sequence[str | None], people: Sequence[str], *, forced: bool, full: bool
) -> Variable:
    texts = [str(cell) for cell in cells]
    numbers = [_number(text) for text in texts]
    known = [one is not None for one in numbers]
    if all(known) and not forced:
        values = np.array(numbers, dtype=np.float64)
        if np.ptp(values) == 0:
            msg = f"column {name!r} is {texts[0]} for all {len(people)} people; leave it out"
            raise OptionError(msg)
        return Covariate(name, values - values.mean(), float(values.mean()))
    if not forced and sum(known) > len(known) / 2:
        which = known.index(False)
        msg = (
            f"column {name!r} holds numbers but {texts[which]!r} for sub-{people[which]}; mend it, or "
            f"write C({name}) if it is a factor"
        )
        raise OptionError(msg)
    levels = tuple(sorted(set(texts)))
    if len(levels) == 1:
        msg = f"factor {name!r} is {levels[0]!r} for all {len(people)} people; leave it out"
        raise OptionError(msg)
    codes = np.eye(len(levels))
    if not full:
        codes = np.vstack([np.eye(len(levels) - 1), -np.ones(len(levels) - 1)])
    return Factor(name, levels, codes, np.array([levels.index(text) for text in texts]))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _block(
    term: tuple[str, ...], variables: Mapping[str, Variable], people: int
) -> tuple[Floats, list[str]]:
    """Return the columns of a term, and their names."""
    parts = []
    for name in term:
        variable = variables[name]
        if isinstance(variable, Covariate):
            parts.append((variable.values[:, None], [name]))
        else:
            width = variable.codes.shape[1]
            named = [f"{name}[{level}]" for level in variable.levels[:width]]
            parts.append((variable.codes[variable.values], named))
    columns = reduce(
        lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(people, -1),
        (values for values, _ in parts),
        np.ones((people, 1)),
    )
    names = [":".join(one) for one in product(*(named for _, named in parts))]
    return columns, names if term else ["intercept"]


def read_contrast(text: str, design: Design) -> Contrast:
    """Work out a contrast of a design.

    Parameters
    ----------
    text
        ``mean``, a column, levels with weights, products by ``:``, or several in brackets; a name
        for the files may stand before it, ``NAME=``.
    design
        The design.

    Raises
    ------
    OptionError
        If it names nothing that the design has, or cannot be estimated.
    """
    label, named, words = text.rpartition("=")
    rows = parse_contrast(words if named else text)
    weights: list[Floats] = []
    levels: dict[tuple[str, str], None] = {}
    covariates: set[str] = set()
    compared = False
    for row in rows:
        meanings = [_meaning(summand, design, text) for summand in row]
        several = [m for m in meanings if len(m.rows) > 1]
        if several and len(row) > 1:
            msg = f"contrast {text!r}: {several[0].words} has several rows, which cannot be added; name levels"
            raise OptionError(msg)
        weights.append(_added(row, meanings))
        for meaning in meanings:
            levels |= dict.fromkeys(meaning.levels)
            covariates |= meaning.covariates
            compared |= bool(meaning.levels) or meaning.spread
    rows_of_weights = np.concatenate(weights)
    try:
        tested = split_design(design.matrix, rows_of_weights)
    except OptionError as error:
        msg = f"contrast {text!r}: {error}"
        raise OptionError(msg) from error
    compared = compared and not covariates and tested.constant_in_null
    file_label = "".join(c for c in label if c.isalnum() and c.isascii()) or words_of(rows)
    if not file_label:
        msg = f"contrast {text!r}: no letter of it can stand in a file's name; write NAME={text}"
        raise OptionError(msg)
    return Contrast(
        (words if named else text).strip(),
        file_label,
        rows_of_weights,
        compared,
        tuple(levels),
        tested,
    )


def _added(row: Sequence[Summand], meanings: "Sequence[_Meaning]") -> Floats:
    """Add up weighted products of names."""
    parts = [one.weight * meaning.rows for one, meaning in zip(row, meanings, strict=True)]
    return np.sum(parts, axis=0)


@dataclass(frozen=True, eq=False)
class _Meaning:
    """What a product of names stands for."""

    words: str
    rows: Floats
    levels: tuple[tuple[str, str], ...]
    covariates: frozenset[str]
    spread: bool


def _meaning(summand: Summand, design: Design, text: str) -> _Meaning:
    covariates: set[str] = set()
    levels: dict[str, str] = {}
    spread: list[Factor] = []
    for part in summand.parts:
        if part.name == MEAN and part.level is None and MEAN not in design.variables:
            continue
        variable, level = _look_up(part, design, text)
        if level is not None:
            levels[variable.name] = level
        elif isinstance(variable, Factor):
            spread.append(variable)
        else:
            covariates.add(variable.name)
    choices = [tuple({one.name: level} for level in one.levels) for one in spread]
    rows = _differences(choices, design, frozenset(covariates), levels)
    words = ":".join(part.name for part in summand.parts)
    if not rows.any():
        msg = f"contrast {text!r}: the model has no term {words}; add {words} to it"
        raise OptionError(msg)
    return _Meaning(words, rows, tuple(levels.items()), frozenset(covariates), bool(spread))


def _differences(
    choices: Sequence[tuple[dict[str, str], ...]],
    design: Design,
    covariates: frozenset[str],
    levels: Mapping[str, str],
) -> Floats:
    """Return the rows of each level less the last, of each factor that is named as a whole."""
    if not choices:
        return design.row(covariates, levels)[None]
    inner = [_differences(choices[1:], design, covariates, {**levels, **one}) for one in choices[0]]
    return np.concatenate([rows - inner[-1] for rows in inner[:-1]])


def _look_up(part: Part, design: Design, text: str) -> tuple[Variable, str | None]:
    """Find the column or level that a name stands for."""
    variables = design.variables
    if part.level is not None:
        factor = variables.get(part.name)
        if not isinstance(factor, Factor) or part.level not in factor.levels:
            msg = f"contrast {text!r}: there is no {part.name}[{part.level}]; {_known(design)}"
            raise OptionError(msg)
        return factor, part.level
    if part.name in variables:
        return variables[part.name], None
    having = [v for v in variables.values() if isinstance(v, Factor) and part.name in v.levels]
    if len(having) > 1:
        which = " and ".join(one.name for one in having)
        msg = (
            f"contrast {text!r}: {part.name} is a level of {which}; write "
            f"{having[0].name}[{part.name}] or {having[1].name}[{part.name}]"
        )
        raise OptionError(msg)
    if not having:
        msg = f"contrast {text!r}: {part.name} is neither a column nor a level; {_known(design)}"
        raise OptionError(msg)
    return having[0], part.name


def _known(design: Design) -> str:
    """List what a contrast can name."""
    said = [MEAN]
    for name, variable in design.variables.items():
        levels = f" ({', '.join(variable.levels[:6])})" if isinstance(variable, Factor) else ""
        said.append(name + levels)
    return f"there are {', '.join(said)}"


def nearest(name: str, known: Sequence[str]) -> str:
    """Return words that lead to the name that was meant."""
    close = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(known[:8]) + (" ..." if len(known) > 8 else "")
    return f"did you mean {close[0]!r}?" if close else f"there are {listed}"


def repeated_columns(design: Design) -> tuple[str, ...]:
    """Return the columns of a design that depend on each other; none where its rank is full."""
    norms = np.linalg.norm(design.matrix, axis=0)
    scaled = design.matrix / np.where(norms > 0, norms, 1)
    _, s, vt = np.linalg.svd(scaled, full_matrices=True)
    rank = int((s > DEPENDENT * s[0]).sum())
    involved = np.abs(vt[rank:]).max(axis=0, initial=0) > 1e-6
    return tuple(name for name, yes in zip(design.columns, involved, strict=True) if yes)
