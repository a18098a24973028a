"""Where people are shuffled: in threads here, or ranges of shuffles on the workers of a cluster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from seedmap.errors import OptionError
from seedmap.group.cost import BESIDE, seconds_a_shuffle
from seedmap.parallel import Pool, core_count, run_each, share_of
from seedmap.shuffle import Null, Shuffling, join, piece_size, shuffle

__all__ = ["shuffle_on"]

# How long a task takes, about [s]: long beside what it costs to send it, short beside the whole.
TASK = 7.0


def shuffle_on(
    test: Shuffling,
    pool: Pool = Pool(),  # noqa: B008  frozen
    on_done: Callable[[int], object] | None = None,
) -> Null:
    """Do the shuffles of a test, where the user wants them done; everywhere with the same bits.

    Parameters
    ----------
    test
        What to do.
    pool
        A scheduler or a cluster; a pool with neither for as many threads of this process as it has
        processes, all cores if that is not said.
    on_done
        Called with the number of shuffles done so far.

    Raises
    ------
    OptionError
        If the scheduler or cluster cannot be reached, or loses one worker after another.
    """
    if not (pool.dask_scheduler or pool.cluster):
        return shuffle(test, None, pool.nprocs or core_count(), on_done)
    spans = _spans(test)
    people = test.statistic.rows(test.plan.moves(0, 1)).shape[2]
    share = share_of(pool, len(spans), 8.0 * people * test.samples + BESIDE)
    parts, done = [], 0
    statistic: Any = test.statistic  # its arrays may lie in a file of this machine
    arrays = {
        name: np.asarray(getattr(statistic, name))
        for name in ("maps", "variances")
        if hasattr(statistic, name)
    }
    statistic = replace(statistic, **arrays)
    common = replace(test, statistic=statistic, kept={})  # what was prepared would be sent, too
    for (start, stop), outcome in run_each(_part, spans, pool, share, common):
        if isinstance(outcome, Exception):
            if isinstance(outcome, RuntimeError):
                msg = f"shuffles {start} to {stop - 1}: {outcome}"
                raise OptionError(msg) from outcome
            raise outcome
        parts.append(outcome)
        done += stop - start
        if on_done is not None:
            on_done(done)
    return join(parts)


def _spans(test: Shuffling) -> list[tuple[int, int]]:
    """Return ranges of shuffles of about `TASK` seconds each, made of whole pieces."""
    rows, _, people = test.statistic.rows(test.plan.moves(0, 1)).shape
    each = seconds_a_shuffle(
        test.samples, rows * people, clusters=test.cluster_threshold is not None, tfce=test.tfce
    )
    piece = piece_size(test)
    step = piece * max(1, round(TASK / each / piece))
    return [(at, min(at + step, test.plan.total)) for at in range(0, test.plan.total, step)]


def _part(span: tuple[int, int], test: Shuffling) -> Null:
    return shuffle(test, span)
