"""Which maps of an earlier call go when new ones are written beside them."""

import pytest

from seedmap.images import stale_maps

RUN = "sub-01_task-rest"
DEGREE = f"{RUN}_stat-degree_desc-36P_statmap.nii.gz"


def named(stat, seed="PCC", desc="36P"):
    return [
        f"{RUN}_seed-{seed}_stat-{stat}_desc-{desc}_statmap.{end}" for end in ("json", "nii.gz")
    ]


@pytest.mark.parametrize(
    ("fresh", "gone"),
    [
        (named("r"), True),  # the map that the degree was made with is replaced
        ([*named("r"), DEGREE], False),  # and the degree, too
        (named("r", seed="mPFC"), False),  # the maps of PCC stay, and it with them
        (named("r", desc="24P"), False),
    ],
)
def test_degree_goes_with_the_maps_it_was_made_with(tmp_path, fresh, gone):
    there = [tmp_path / name for name in (*named("r"), DEGREE)]
    assert stale_maps(there, fresh) == ([tmp_path / DEGREE] if gone else [])


def test_other_statistics_and_tables_of_a_seed_go(tmp_path):
    table = f"{RUN}_seed-PCC_desc-36P_robustness.tsv"
    there = [tmp_path / name for name in (*named("z"), table, "notes.txt", *named("z", seed="M1"))]
    assert stale_maps(there, named("r")) == there[:3]
