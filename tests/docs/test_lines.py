"""The command lines of the pages can be typed, and those on data that can be made here are run."""

import re
import shlex
from pathlib import Path

import pytest

import seedmap as sm
from seedmap.cli import build_app, main

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "start.md", DOCS / "index.md", *sorted(DOCS.glob("how-to/*.md"))]
SERVERS = ("explore",)  # they wait
# Numbers of vertices are those of the real surface; the artificial one has another medial wall.
NOT_RUN = ":vertex:"


def lines_of(page):
    """Return the calls of seedmap in the blocks of a page, continued lines joined."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    joined = "\n".join(blocks).replace("\\\n", " ")
    found = re.findall(r"^(?:\$ )?(seedmap [^\n]*)$", joined, re.MULTILINE)
    return [line for line in found if "..." not in line]


@pytest.mark.parametrize(
    ("page", "line"),
    [(page.stem, line) for page in PAGES for line in lines_of(page)],
)
def test_every_line_can_be_typed(page, line):
    tokens = shlex.split(line, comments=True)[1:]
    verb, *_ = build_app().parse_args(tokens, exit_on_error=False, print_error=False)
    assert verb.__name__ == tokens[0]


def typed(line):
    """Take a line apart as a shell would, patterns of file names included."""
    for token in shlex.split(line, comments=True)[1:]:
        names = sorted(map(str, Path().glob(token))) if "*" in token else []
        yield from names or [token]


@pytest.mark.full
@pytest.mark.parametrize("page", ["bids", "store"])
@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_the_lines_of_a_page_run_from_top_to_bottom(page, tmp_path, monkeypatch):
    pytest.importorskip("zarr")
    monkeypatch.chdir(tmp_path)
    for folder in ("derivatives/fmriprep", "phantom-study"):
        sm.datasets.make_study(folder, 1, outputs=("volume", "surface", "cifti"), voxel_size=8)
    run = [
        line
        for line in lines_of(DOCS / "how-to" / f"{page}.md")
        if line.split()[1] not in (*SERVERS, "fetch") and NOT_RUN not in line
    ]
    assert len(run) >= 3
    for line in run:
        space = (
            [] if "--space" in line or "bids" not in line else ["--space", "MNI152NLin2009cAsym"]
        )
        more = ["--nprocs", "1"] if line.split()[1] == "bids" else []
        assert main([*typed(line), *space, *more, "-q"]) == 0, line
