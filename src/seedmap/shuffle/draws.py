"""Which shuffles there are: permutations and sign flips, drawn or enumerated.

Shuffle 0 changes nothing. Shuffle k is drawn from a counter-based generator keyed by (seed, k), so
it is the same whatever the order, the block or the machine it is drawn in. Where there are no more
shuffles than were asked for, each different one is taken once.

What moves or flips as one is a *unit*: a participant, or a whole block of participants. Units
change places within their *class*: all of them, those of one block, or blocks of one size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from math import comb, prod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedmap._linear import SplitDesign
from seedmap.errors import OptionError
from seedmap.shuffle.philox import random_bits

__all__ = ["Moves", "Plan", "plan_shuffles"]

Kind = Literal["auto", "signs", "permutations", "both"]
Mode = Literal["within", "whole"]
Index = NDArray[np.intp]

# The level that a test must be able to reach.
LEVEL = 0.05
# Decimals to which rows of an orthonormal design are compared.
DECIMALS = 9


@dataclass(frozen=True, eq=False)
class Moves:
    """Some shuffles: ``(P y)_i = sign_i y[source_i]``.

    Attributes
    ----------
    source : ndarray of int, shape (shuffles, people), or None
        None where nobody moves.
    signs : ndarray of float32, shape (shuffles, people), or None
        None where no sign is flipped.
    """

    number: int
    source: Index | None
    signs: NDArray[np.float32] | None

    def rows(self, base: ArrayLike, *, signed: bool = True) -> NDArray[np.float32]:
        """Return b'P of some rows b, so that b'Py is a product with y.

        Parameters
        ----------
        base
            Shape (rows, people).
        signed
            False for what is multiplied with squares, which have no sign.

        Returns
        -------
        ndarray, shape (rows, shuffles, people)
        """
        rows = np.asarray(base, dtype=np.float32)[:, None, :]
        shape = (rows.shape[0], self.number, rows.shape[2])
        rows = rows * self.signs if signed and self.signs is not None else rows
        if self.source is None:
            return np.ascontiguousarray(np.broadcast_to(rows, shape))
        moved = np.empty(shape, dtype=np.float32)
        source = np.broadcast_to(self.source, shape)
        np.put_along_axis(moved, source, np.broadcast_to(rows, shape), axis=2)
        return moved


@dataclass(frozen=True, eq=False)
class Plan:
    """The shuffles of a test; built by `plan_shuffles`.

    Attributes
    ----------
    number : int
        Shuffles beside the identity, which is shuffle 0.
    possible : int
        Different ones that there are, the identity among them; s and -s count once.
    exhaustive : bool
        Whether all of them are taken.
    permutes, flips : bool
        Whether people change places; whether their signs are flipped.
    seed : int
        Of the generator.
    members : ndarray of int, shape (units, members)
        People of each unit, -1 beyond its size.
    classes : ndarray of int, shape (units,)
        Units change places within their class.
    labels : ndarray of int, shape (units,)
        Units of one label have the same rows of the design: exchanging them changes nothing.
    """

    number: int
    possible: int
    exhaustive: bool
    permutes: bool
    flips: bool
    seed: int
    members: Index
    classes: Index
    labels: Index

    @property
    def people(self) -> int:
        """Number of participants."""
        return int((self.members >= 0).sum())

    @property
    def total(self) -> int:
        """All shuffles, with the identity."""
        return self.number + 1

    @property
    def orbits(self) -> Index:
        """Participants of one number can come to one another's places, shape (people,)."""
        places = np.full(self.people, -1, dtype=np.intp)
        units, place = np.nonzero(self.members >= 0)
        places[self.members[units, place]] = self.classes[units] * self.members.shape[1] + place
        return places if self.permutes else np.arange(self.people)

    def moves(self, start: int, stop: int) -> Moves:
        """Return shuffles ``start`` to ``stop - 1``."""
        order, flipped = (
            self._enumerated(start, stop) if self.exhaustive else self._drawn(start, stop)
        )
        source = signs = None
        units, place = np.nonzero(self.members >= 0)
        people = self.members[units, place]
        if order is not None:
            source = np.empty((stop - start, self.people), dtype=np.intp)
            source[:, people] = self.members[order[:, units], place]
        if flipped is not None:
            signs = np.empty((stop - start, self.people), dtype=np.float32)
            signs[:, people] = np.where(flipped[:, units], np.float32(-1), np.float32(1))
        return Moves(stop - start, source, signs)

    def _drawn(self, start: int, stop: int) -> tuple[Index | None, NDArray[np.bool_] | None]:
        """Draw each shuffle by its own key: units in the order of random numbers, random signs."""
        units = len(self.members)
        by_key, by_sign = random_bits(self.seed, np.arange(start, stop), units)
        order = flipped = None
        if self.permutes:
            by_class = np.argsort(self.classes, kind="stable")
            order = np.empty((stop - start, units), dtype=np.intp)
            keys = np.broadcast_to(self.classes, order.shape)
            order[:, by_class] = np.lexsort((by_key, keys), axis=1)
        if self.flips:
            flipped = by_sign >> np.uint64(63) > 0
        if start == 0:
            _leave(order, flipped)
        return order, flipped

    def _enumerated(self, start: int, stop: int) -> tuple[Index | None, NDArray[np.bool_] | None]:
        """Count through the arrangements, and through the signs of all units but the last."""
        k = np.arange(start, stop)
        arrangements, units = self._arrangements, len(self.members)
        order = arrangements[k % len(arrangements)] if self.permutes else None
        flipped = None
        if self.flips:
            bits = (k // len(arrangements))[:, None] >> np.arange(units) & 1
            flipped = bits > 0
        return order, flipped

    @cached_property
    def _arrangements(self) -> Index:
        """All different orders of the units, the present one first, shape (orders, units)."""
        units = len(self.members)
        if not self.permutes:
            return np.arange(units)[None]
        groups = [np.flatnonzero(self.classes == one) for one in np.unique(self.classes)]
        choices = [list(_orders(self.labels[group])) for group in groups]
        found = np.empty((prod(map(len, choices)), units), dtype=np.intp)
        for row, chosen in zip(found, product(*choices), strict=True):
            for group, order in zip(groups, chosen, strict=True):
                row[group] = group[order]
        return found


def plan_shuffles(
    tested: SplitDesign,
    number: int = 5000,
    *,
    kind: Kind = "auto",
    seed: int = 0,
    blocks: ArrayLike | None = None,
    mode: Mode = "within",
) -> Plan:
    """Say which shuffles test a contrast.

    Parameters
    ----------
    tested
        The design and the contrast.
    number
        Shuffles beside the identity; fewer where fewer are possible.
    kind
        ``"signs"``, ``"permutations"`` or ``"both"``; ``"auto"`` takes permutations where the
        null model has a constant, and signs where it has none.
    seed
        Of the generator, 0 or more.
    blocks
        A label a person, shape (people,). None: all can be exchanged.
    mode
        ``"within"`` shuffles inside a block; ``"whole"`` moves blocks of one size, or flips blocks,
        as one.

    Returns
    -------
    Plan

    Raises
    ------
    OptionError
        If an option makes no sense, if no shuffle changes the tested column, or if no p below
        .05 can be reached.

    References
    ----------
    Winkler et al. (2014), doi:10.1016/j.neuroimage.2014.01.060; exchangeability blocks: Winkler
    et al. (2015), doi:10.1016/j.neuroimage.2015.05.092.
    """
    if kind == "auto":
        kind = "permutations" if tested.constant_in_null else "signs"
    _check_options(number, seed, kind, mode)
    members, classes = _units(tested.people, blocks, mode)
    labels = _labels(np.hstack([tested.null, tested.part]), members)
    permutes, flips = kind != "signs", kind != "permutations"
    possible = 2 ** (len(members) - 1) if flips else 1
    possible *= _count_orders(labels, classes) if permutes else 1
    exhaustive = possible <= number + 1
    plan = Plan(
        possible - 1 if exhaustive else number,
        possible,
        exhaustive,
        permutes,
        flips,
        seed,
        members,
        classes,
        labels,
    )
    _check_reach(plan, tested)
    return plan


def _check_options(number: int, seed: int, kind: str, mode: str) -> None:
    good = {
        f"{number} shuffles; ask for 1 or more": number >= 1,
        f"seed {seed}; give 0 or a positive whole number below 2^63": 0 <= seed < 2**63,
        f"shuffles of kind {kind!r}; choose auto, signs, permutations or both": kind
        in {"signs", "permutations", "both"},
        f"blocks of mode {mode!r}; choose within or whole": mode in {"within", "whole"},
    }
    for msg, holds in good.items():
        if not holds:
            raise OptionError(msg)


def _check_reach(plan: Plan, tested: SplitDesign) -> None:
    """Refuse a test that cannot come out."""
    if plan.possible == 1:
        msg = (
            "no shuffle changes the tested column: it is constant where people can be exchanged; "
            "use other blocks or another kind of shuffle"
        )
        raise OptionError(msg)
    if not plan.exhaustive:
        return
    moved = plan.moves(0, plan.total).rows(tested.part.T).astype(np.float64)
    overlap = np.einsum("qkn,nr->kqr", moved, tested.part)
    same = int(((overlap**2).sum(axis=(1, 2)) > tested.q - 1e-5).sum())
    if same / plan.total > LEVEL:
        msg = (
            f"{plan.people} people can be shuffled in only {plan.possible} ways, so no p can be below "
            f"{same / plan.total:.2g}; add people, or use inference='parametric'"
        )
        raise OptionError(msg)


def _units(people: int, blocks: ArrayLike | None, mode: Mode) -> tuple[Index, Index]:
    """Return the members of each unit and its class."""
    if blocks is None:
        return np.arange(people)[:, None], np.zeros(people, dtype=np.intp)
    given = np.asarray(blocks)
    if given.shape != (people,):
        msg = f"blocks have shape {given.shape}; give one label for each of {people} people"
        raise OptionError(msg)
    _, block = np.unique(given, return_inverse=True)
    if mode == "within":
        return np.arange(people)[:, None], block.astype(np.intp)
    sizes = np.bincount(block)
    members = np.full((sizes.size, sizes.max()), -1, dtype=np.intp)
    for row, number in zip(members, range(sizes.size), strict=True):
        row[: sizes[number]] = np.flatnonzero(block == number)
    return members, sizes.astype(np.intp)


def _labels(design: NDArray[np.float64], members: Index) -> Index:
    """Label the units by their rows of the design."""
    rows = np.where((members >= 0)[:, :, None], design[members], np.inf)
    flat = np.round(rows.reshape(len(members), -1), DECIMALS) + 0.0
    _, labels = np.unique(flat, axis=0, return_inverse=True)
    return labels.ravel().astype(np.intp)


def _count_orders(labels: Index, classes: Index) -> int:
    """Count the different orders of units within their classes."""
    count = 1
    for one in np.unique(classes):
        left = int((classes == one).sum())
        for same in np.unique(labels[classes == one], return_counts=True)[1].tolist():
            count *= comb(left, same)
            left -= same
    return count


def _orders(labels: Index) -> Iterator[Index]:
    """Yield an order of the units for each different arrangement of labels, the given one first."""
    same = [np.flatnonzero(labels == one) for one in np.unique(labels)]
    given = np.arange(labels.size)
    yield given
    for places in _placed([len(one) for one in same], tuple(range(labels.size))):
        order = np.empty(labels.size, dtype=np.intp)
        for units, at in zip(same, places, strict=True):
            order[units] = at
        if not np.array_equal(order, given):
            yield order


def _placed(counts: Sequence[int], free: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """Yield every way to give places to kinds of which there are some each."""
    if not counts:
        yield []
        return
    for chosen in combinations(free, counts[0]):
        left = tuple(place for place in free if place not in chosen)
        for others in _placed(counts[1:], left):
            yield [chosen, *others]


def _leave(order: Index | None, flipped: NDArray[np.bool_] | None) -> None:
    """Make the first of some shuffles the identity."""
    if order is not None:
        order[0] = np.arange(order.shape[1])
    if flipped is not None:
        flipped[0] = False
