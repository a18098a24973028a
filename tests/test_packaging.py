"""What is released: a source archive in which the README's commands work, built by pinned tools."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_source_archive_holds_what_its_commands_need(project):
    """`make demo` reads constraints.txt; tests read the descriptor and the Containerfile."""
    packed = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert all((ROOT / name).exists() for name in packed)
    needed = {"Makefile", "constraints.txt", "CONTRIBUTING.md", "hatch_build.py", "tests", "src"}
    made = re.findall(r"^[$()/\\w-]+: .*", (ROOT / "Makefile").read_text(), re.MULTILINE)
    needed |= {word for line in made for word in line.split()[1:] if "$" not in word}
    readme = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    links = re.findall(r"\]\(([\w./-]+)", readme)
    needed |= {link.removeprefix("./").split("/")[0] for link in links if "://" not in link}
    assert {name for name in needed if (ROOT / name).exists()} <= set(packed)


@pytest.mark.skipif(not WORKFLOWS, reason="a source archive has no workflows")
def test_actions_are_pinned_by_commit():
    """A tag can be moved to other code; a commit cannot."""
    for path in WORKFLOWS:
        for action in re.findall(r"uses: (.*)", path.read_text()):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action), f"{path.name}: {action}"


def test_the_image_is_pinned_and_not_run_by_root():
    lines = (ROOT / "Containerfile").read_text().splitlines()
    (base,) = (line.partition("=")[2] for line in lines if line.startswith("ARG BASE"))
    assert re.search(r":\d+\.\d+\.\d+-slim-\w+$", base)
    assert {line.split()[1] for line in lines if line.startswith("FROM")} == {"${BASE}"}
    (user,) = (line.split()[1] for line in lines if line.startswith("USER"))
    assert user.split(":")[0] not in ("0", "root")


def test_the_urls_are_those_of_the_repository_that_builds():
    pytest.importorskip("hatchling")
    urls_of = runpy.run_path(str(ROOT / "hatch_build.py"))["urls_of"]
    given = {"GITHUB_SERVER_URL": "https://git.example", "GITHUB_REPOSITORY": "some/where"}
    assert urls_of(given)["Source"] == "https://git.example/some/where"
    assert urls_of({}) == {}
