"""Pages show all maps in the folder, whichever call made them."""

import re

import pytest

from seedmap.cli import main
from seedmap.datasets import make_study
from seedmap.participants.facts import merged
from seedmap.report.maps import find_maps

LINE = ("--nprocs", "1", "-q")
PCC, M1 = ("--seed", "PCC=0,-52,18"), ("--seed", "M1=-38,-22,56")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), 1, voxel_size=10, n_frames=100).folder


def bids(study, out, *options, strategy="6P"):
    line = ["bids", str(study), str(out), "participant", "--strategy", strategy, *LINE]
    assert main([*line, *map(str, options)]) == 0
    return (out / "sub-01.html").read_text(), (out / "index.html").read_text()


def listed(page):
    """Return seed and strategy of every row of the list, and check that its files are there."""
    section = re.search("<!-- all maps -->(.*)<!-- end of all maps -->", page, re.DOTALL)[1]
    row = r"<tr><td[^>]*>(.*?)</td><td[^>]*>(.*?),.*?</td><td[^>]*>(.*?)</td>"
    rows = re.findall(row, section)
    return [(seed, strategy) for _, seed, strategy in rows], re.findall('href="(.*?)"', section)


def strategies(index):
    """Return the strategy of every row of the study's table."""
    return re.findall(r"<td[^>]*>(\dP)</td>", index)


def test_a_second_seed_and_a_second_strategy_do_not_hide_the_first(study, tmp_path):
    out = tmp_path / "out"
    bids(study, out, *PCC)
    page, index = bids(study, out, *M1)
    rows, files = listed(page)
    assert rows == [("M1", "6P"), ("PCC", "6P")]
    assert len(files) == 14
    assert all((out / name).is_file() for name in files)
    assert page.count("<img") == 4  # two carpets, the new map, and the earlier one
    page, index = bids(study, out, *M1, strategy="9P")
    assert listed(page)[0] == [("M1", "6P"), ("M1", "9P"), ("PCC", "6P")]
    assert strategies(index) == ["6P", "9P"]


def test_maps_from_the_store_are_on_the_pages(study, tmp_path):
    pytest.importorskip("zarr")
    out, other = tmp_path / "out", tmp_path / "other"
    first, _ = bids(study, out, *PCC, "--store")
    page, index = bids(study, out, *M1, "--from-store", out)
    assert listed(page)[0] == [("M1", "6P"), ("PCC", "6P")]
    assert page.count("<img") == first.count("<img")
    assert strategies(index) == ["6P"]
    page, index = bids(study, other, *M1, "--from-store", out)
    assert listed(page)[0] == [("M1", "6P")]
    assert strategies(index) == ["6P"]
    page, _ = bids(study, other, *PCC, "--from-store", out)
    assert listed(page)[0] == [("M1", "6P"), ("PCC", "6P")]


def test_maps_that_are_gone_are_not_listed(study, tmp_path):
    out = tmp_path / "out"
    bids(study, out, *PCC, "--no-figures")
    for path in out.glob("sub-01/func/*seed-PCC*"):
        path.unlink()
    page, _ = bids(study, out, *M1, "--no-figures")
    assert listed(page)[0] == [("M1", "6P")]


def test_a_sidecar_that_is_none_is_passed_over(tmp_path):
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    for number, text in enumerate(("", "[]", '{"Seed": 1}', '{"Seed": {"name": "a"}}')):
        (folder / f"sub-01_seed-{number}_stat-r_statmap.json").write_text(text)
    assert find_maps(tmp_path, tmp_path / "fresh", "01") == []


def test_facts_of_two_calls_are_put_together():
    first = {"run": "a", "strategy": "6P", "mean_fd": 0.1, "dof": {"A": 1, "B": 2}}
    again = {"run": "a", "strategy": "6P", "mean_fd": None, "dof": {"B": 3}}
    other = {"run": "a", "strategy": "9P", "mean_fd": None, "dof": {}}
    assert merged([first], [again, other]) == [
        {"run": "a", "strategy": "6P", "mean_fd": 0.1, "dof": {"A": 1, "B": 3}},
        other,
    ]
    assert merged([], [first]) == [first]
