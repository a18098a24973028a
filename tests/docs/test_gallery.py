"""The pages of the gallery are numbered apart, and each runs."""

import re
import runpy
from pathlib import Path

import matplotlib as mpl
import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("plot_*.py"))


def test_no_two_pages_have_one_number():
    numbers = [re.match(r"plot_(\d\d)_", path.name)[1] for path in EXAMPLES]
    assert numbers == [f"{number:02}" for number in range(1, len(EXAMPLES) + 1)]


@pytest.mark.full
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_a_page_runs(path, tmp_path, monkeypatch):
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
