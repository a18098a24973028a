"""The table of statistics and that of measures: complete, and in words that fit their places."""

from typing import get_args

import nibabel as nib
import numpy as np
import pytest

from seedmap.analysis import Measure
from seedmap.images import GROUP_STATISTICS, MEASURE_KINDS, STATISTICS, statistic


@pytest.mark.parametrize(
    "row", [*STATISTICS.values(), *GROUP_STATISTICS.values()], ids=lambda row: row.description[:30]
)
def test_words_fit_a_header(row):
    header = nib.Nifti1Header()
    header.set_intent(row.kind.intent, row.kind.parameters)
    assert header.get_intent()[0] == row.kind.intent
    assert len(row.kind.description.encode("ascii")) <= 79
    assert row.description


def test_every_measure_has_its_words():
    assert tuple(MEASURE_KINDS) == get_args(Measure)
    lagged = MEASURE_KINDS["lagged"].definition.format(element="vertex", lag=8.0)
    assert lagged == (
        "the strongest Pearson correlation of the cleaned series of a seed and of a vertex at "
        "delays of up to 8 s either way"
    )


def test_only_r_z_and_q_are_cut_off():
    rules = {name: row.threshold for name, row in STATISTICS.items() if row.threshold}
    tried = (0.0, 0.5, 1.0, 3.1, np.inf, np.nan)
    accepted = {name: [rule.accepts(value) for value in tried] for name, rule in rules.items()}
    assert accepted == {
        "r": [True, True, False, False, False, False],
        "z": [True, True, True, True, False, False],
        "q": [False, True, True, False, False, False],
        "pfwe": [False, True, True, False, False, False],
    }


def test_what_is_in_no_table_bears_its_name():
    assert (statistic("tau2").name, statistic("tau2").kind.intent) == ("tau2", "none")
