"""Shuffles: the generator against published numbers, blocks, and all that there are."""

from itertools import permutations, product
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap.errors import OptionError
from seedmap.shuffle import plan_shuffles, split_design
from seedmap.shuffle.philox import philox, random_bits

ZERO, ONES = np.zeros(1, np.uint64), np.full(1, 0xFFFFFFFF, np.uint64)


def mean_of(people):
    return split_design(np.ones((people, 1)), [1])


def difference(group):
    group = np.asarray(group, dtype=float)
    return split_design(np.column_stack([group, 1 - group]), [1, -1])


def slope(values):
    return split_design(np.column_stack([np.ones(len(values)), values]), [0, 1])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (ZERO, 0, ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]),
        (ONES, 0xFFFFFFFF, ["0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd"]),
    ],
)
def test_philox_gives_the_published_numbers(counter, key, words):
    found = philox((counter,) * 4, (np.uint64(key), np.uint64(key)))
    assert [hex(int(word[0])) for word in found] == words


def test_random_bits_depend_on_seed_and_number_only():
    together = random_bits(5, np.arange(40), 7)
    apart = np.concatenate([random_bits(5, [k], 7) for k in range(40)], axis=1)
    np.testing.assert_array_equal(together, apart)
    assert len(np.unique(together)) == together.size
    assert not np.array_equal(together, random_bits(6, np.arange(40), 7))
    # the later words of a long count and of a long seed take part, too
    assert not np.array_equal(random_bits(5, [2**40], 7), random_bits(5, [0], 7))
    assert not np.array_equal(random_bits(5 + 2**40, [1], 7), random_bits(5, [1], 7))


def test_shuffles_are_the_same_in_any_blocks_and_the_first_is_the_identity():
    plan = plan_shuffles(slope(np.arange(20.0)), 100, kind="both", seed=3)
    whole = plan.moves(0, 100)
    np.testing.assert_array_equal(whole.source[0], np.arange(20))
    np.testing.assert_array_equal(whole.signs[0], np.ones(20))
    for start, stop in ((0, 1), (1, 64), (64, 100)):
        part = plan.moves(start, stop)
        np.testing.assert_array_equal(part.source, whole.source[start:stop])
        np.testing.assert_array_equal(part.signs, whole.signs[start:stop])


def test_every_place_and_sign_is_equally_likely():
    plan = plan_shuffles(slope(np.arange(8.0)), 20_000, kind="both", seed=1)
    moves = plan.moves(1, 20_000)
    counts = np.stack([np.bincount(column, minlength=8) for column in moves.source.T])
    assert np.abs(counts / 20_000 - 1 / 8).max() < 5 * np.sqrt(1 / 8 / 20_000)
    assert np.abs(moves.signs.mean(axis=0)).max() < 5 / np.sqrt(20_000)
    together = np.corrcoef(moves.signs.T) - np.eye(8)
    assert np.abs(together).max() < 5 / np.sqrt(20_000)


@given(st.data())
def test_rows_are_moved_so_that_their_product_is_that_of_moved_people(data):
    seed = data.draw(st.integers(0, 1000))
    kind = data.draw(st.sampled_from(["signs", "permutations", "both"]))
    rng = np.random.default_rng(seed)
    plan = plan_shuffles(slope(rng.normal(size=12)), 50, kind=kind, seed=seed)
    moves, y, row = plan.moves(0, 20), rng.normal(size=12), rng.normal(size=(1, 12))
    rows = moves.rows(row)[0]
    for k in range(20):
        moved = y if moves.source is None else y[moves.source[k]]
        moved = moved if moves.signs is None else moves.signs[k] * moved
        assert rows[k] @ y == pytest.approx(row[0] @ moved, abs=1e-5)


def test_within_blocks_nobody_leaves_the_block():
    blocks = np.array(list("abbacabccb"))
    plan = plan_shuffles(slope(np.arange(10.0)), 200, blocks=blocks)
    source = plan.moves(0, 200).source
    np.testing.assert_array_equal(blocks[source], np.broadcast_to(blocks, source.shape))
    assert (np.sort(source, axis=1) == np.arange(10)).all()
    assert len(np.unique(source, axis=0)) > 150
    assert len(np.unique(plan.orbits)) == 3
    assert plan.possible == factorial(3) * factorial(4) * factorial(3)


def test_whole_blocks_move_among_blocks_of_their_size():
    blocks = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5])
    plan = plan_shuffles(slope(np.arange(14.0)), 10_000, blocks=blocks, mode="whole")
    assert plan.possible == factorial(4) * factorial(2)
    source = plan.moves(0, plan.total).source
    assert plan.exhaustive
    assert len(np.unique(source, axis=0)) == plan.total == 48
    for row in source:
        for block in range(6):
            came_from = np.unique(blocks[row[blocks == block]])
            assert came_from.size == 1
            assert (blocks == came_from[0]).sum() == (blocks == block).sum()
    assert len(np.unique(plan.orbits)) == 2 + 3


def test_whole_blocks_are_flipped_together():
    blocks = np.repeat(np.arange(10), 3)
    plan = plan_shuffles(mean_of(30), 400, blocks=blocks, mode="whole")
    signs = plan.moves(0, 400).signs.reshape(400, 10, 3)
    assert (signs == signs[:, :, :1]).all()
    assert plan.possible == 2**9


def test_few_people_are_enumerated_signs():
    plan = plan_shuffles(mean_of(8), 5000)
    signs = plan.moves(0, plan.total).signs
    assert (plan.exhaustive, plan.total, plan.number, plan.possible) == (True, 128, 127, 128)
    up_to_sign = signs * signs[:, -1:]
    wanted = np.array([(*s, 1) for s in product([1, -1], repeat=7)])
    np.testing.assert_array_equal(np.unique(up_to_sign, axis=0), np.unique(wanted, axis=0))
    assert plan_shuffles(mean_of(13), 5000).exhaustive
    assert not plan_shuffles(mean_of(14), 5000).exhaustive


def test_few_people_are_enumerated_groups():
    group = np.array([1, 0, 0, 1, 1, 0, 0, 0, 1])
    plan = plan_shuffles(difference(group), 5000)
    assert (plan.possible, plan.exhaustive) == (comb(9, 4), True)
    moves = plan.moves(0, plan.total)
    np.testing.assert_array_equal(moves.source[0], np.arange(9))
    arranged = np.round(moves.rows(group[None].astype(float))[0]).astype(int)
    assert len(np.unique(arranged, axis=0)) == comb(9, 4)
    wanted = np.unique(list(permutations(group)), axis=0)
    np.testing.assert_array_equal(np.unique(arranged, axis=0), wanted)


def test_few_blocks_are_enumerated_each_on_its_own():
    group = np.array([1, 0, 0, 1, 0, 1, 1, 0, 0])
    blocks = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    plan = plan_shuffles(difference(group), 5000, blocks=blocks)
    assert plan.possible == comb(4, 2) * comb(5, 2)
    arranged = np.round(plan.moves(0, 60).rows(group[None].astype(float))[0])
    assert len(np.unique(arranged, axis=0)) == 60
    assert (arranged[:, :4].sum(axis=1) == 2).all()


def test_many_of_one_kind_are_counted_without_listing_them():
    group = np.zeros(1500)
    group[:2] = 1
    plan = plan_shuffles(difference(group), 100)
    assert plan.possible == comb(1500, 2)
    few = plan_shuffles(difference(np.arange(40) == 0), 100)
    assert (few.possible, few.exhaustive) == (40, True)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: plan_shuffles(mean_of(5)), "5 people can be shuffled in only 16 ways"),
        (lambda: plan_shuffles(difference([1, 1, 1, 0, 0, 0])), "no p can be below 0.1"),
        (lambda: plan_shuffles(mean_of(9), 0), "ask for 1 or more"),
        (lambda: plan_shuffles(mean_of(9), seed=-1), "seed -1"),
        (lambda: plan_shuffles(mean_of(9), kind="flips"), "choose auto"),
        (lambda: plan_shuffles(mean_of(9), mode="all"), "choose within or whole"),
        (lambda: plan_shuffles(mean_of(9), blocks=[1, 2]), "9 people"),
        (lambda: plan_shuffles(mean_of(9), kind="permutations"), "no shuffle changes"),
        (
            lambda: plan_shuffles(difference([1, 1, 1, 0, 0, 0, 0]), blocks=[1, 1, 1, 0, 0, 0, 0]),
            "no shuffle changes",
        ),
    ],
)
def test_shuffles_that_cannot_answer_are_refused_in_one_line(build, said):
    with pytest.raises(OptionError, match=said) as error:
        build()
    assert "\n" not in str(error.value)


def test_six_people_can_be_tested():
    assert plan_shuffles(mean_of(6)).possible == 32
