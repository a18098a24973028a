"""Private names of nilearn: one file imports them, and the installed release has them."""

import ast
import importlib
from pathlib import Path

import pytest

import seedmap
from seedmap.signal import nilearn_private

SOURCES = Path(seedmap.__file__).parent


def is_public(module, name):
    """Whether nilearn promises a name: its path has no underscore and its module lists it."""
    if any(part.startswith("_") for part in (*module.split("."), name)):
        return False
    public = importlib.import_module(module)
    submodule = module == "nilearn" and hasattr(
        importlib.import_module(f"{module}.{name}"), "__all__"
    )
    return submodule or name in getattr(public, "__all__", ())


def imported(tree):
    """List the names of nilearn that a file uses, each with its module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nilearn"):
            yield from ((node.module, alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names if alias.name.startswith("nilearn.")]
            yield from (tuple(module.rsplit(".", 1)) for module in modules)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).startswith("nilearn."):
            yield ast.unparse(node.value), node.attr


def test_a_private_name_is_known_when_it_is_seen():
    text = (
        "from nilearn._utils.logger import log\nfrom nilearn.signal import clean, _sanitize_inputs\n"
        "import nilearn.image.image\nimport nilearn.signal\nnilearn.signal.standardize_signal\n"
    )
    private = [name for module, name in imported(ast.parse(text)) if not is_public(module, name)]
    assert sorted(private) == ["_sanitize_inputs", "image", "log", "standardize_signal"]


def test_no_other_file_imports_a_private_name():
    private = {}
    for path in sorted(SOURCES.rglob("*.py")):
        names = {
            f"{module}.{name}"
            for module, name in imported(ast.parse(path.read_text(encoding="utf-8")))
            if not module.endswith("Masker")  # a method of a class that ours overrides
            and not is_public(module, name)
        }
        if names:
            private[path.name] = names
    assert private == {}


@pytest.mark.parametrize("name", sorted(nilearn_private.MODULES))
def test_the_release_that_is_installed_has_every_name(name):
    module = nilearn_private.MODULES[name]
    assert getattr(nilearn_private, name) is getattr(importlib.import_module(module), name)
    assert not is_public(module, name)


@pytest.mark.parametrize("name", sorted(nilearn_private.MODULES))
def test_every_name_is_in_use(name):
    users = [path for path in SOURCES.rglob("*.py") if path.name != "nilearn_private.py"]
    assert any(name in path.read_text(encoding="utf-8") for path in users)


def test_a_name_that_nilearn_has_not_names_the_releases_that_have_it(monkeypatch):
    monkeypatch.setitem(nilearn_private.MODULES, "gone", "nilearn.signal")
    with pytest.raises(
        ImportError, match=r"has no nilearn\.signal\.gone; .*'nilearn>=0\.14,<0\.15'"
    ):
        nilearn_private.gone  # noqa: B018


def test_any_other_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nilearn_private.nothing  # noqa: B018
