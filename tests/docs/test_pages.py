"""The documentation says what is true: its Python runs, and the reference lists every public name."""

import re
from pathlib import Path

import pytest

import seedmap

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(
    path
    for path in [DOCS / "start.md", *DOCS.glob("how-to/*.md")]
    if "```python" in path.read_text(encoding="utf-8")
)
# Pages whose code starts a server and waits.
ELSEWHERE = {"explore"}


def blocks(document):
    """Return the Python of a page, in order, at the lines where it stands."""
    text = document.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [(text[: block.start(1)].count("\n"), block[1]) for block in found]


@pytest.mark.full
@pytest.mark.parametrize(
    "document", [path for path in PAGES if path.stem not in ELSEWHERE], ids=lambda path: path.stem
)
@pytest.mark.filterwarnings("default::seedmap.errors.SeedmapWarning")
def test_the_python_of_a_page_runs_from_top_to_bottom(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for line, code in blocks(document):
        exec(compile("\n" * line + code, str(document), "exec"), names)


@pytest.mark.parametrize("name", sorted(set(seedmap.__all__) - {"__version__"}))
def test_the_reference_lists_every_public_name(name):
    listed = (DOCS / "api.md").read_text(encoding="utf-8")
    assert re.search(rf"^   {name}$|seedmap\.{name}\b|^   {name}\.", listed, flags=re.MULTILINE)
