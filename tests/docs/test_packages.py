"""What CONTRIBUTING and the way of one run say of the packages is so."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "seedmap"
# Files that say what the package is, or start it.
NOT_LISTED = {"__init__.py", "__main__.py", "_version.py", "py.typed"}
# Of these, other packages use what the face exports and nothing behind it.
BEHIND_A_FACE = ("analysis", "spatial")


def packages():
    """Return files and folders of the package as the table writes them."""
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    folders = {f"{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    return (files - NOT_LISTED) | folders


def test_the_table_of_packages_holds_each_once():
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    assert sorted(rows) == sorted(packages())


def test_the_layers_hold_every_package():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    named = {name for layer in layers for name in re.split(r"\W+", layer)}
    assert named == {name.rstrip("/").removesuffix(".py") for name in packages()} | {"__main__"}


def test_the_way_of_one_run_names_files_that_are_there():
    text = (ROOT / "docs/explanation/one-run.md").read_text()
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", text)
    assert len(named) > 15
    assert [name for name in named if not (PACKAGE / name).exists()] == []


def test_what_is_behind_a_face_is_imported_from_the_face():
    found = []
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                parts = node.module.split(".")
                if len(parts) > 2 and parts[1] in BEHIND_A_FACE and parts[1] != inside:
                    found.append(f"{path.relative_to(PACKAGE)}: {node.module}")
    assert found == []
