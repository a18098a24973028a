"""The face of the package: few names, sorted, and cheap to import."""

import importlib
import inspect
import subprocess
import sys

import pytest

import seedmap as sm

HEAVY = [
    "nilearn", "nibabel", "matplotlib", "dask", "distributed", "zarr", "starlette", "uvicorn",
    "pandas", "sklearn", "jinja2", "rich", "cyclopts", "isal", "joblib",
    "scipy.signal", "scipy.stats", "scipy.ndimage",
]  # fmt: skip
NAMES_THAT_MUST_EXIST = [
    "Cleaning", "MaskSeed", "Region", "SeedMaps", "SeriesSeed", "Sphere", "datasets", "open_run",
    "parse_seed", "report", "seed_maps",
]  # fmt: skip


def test_names_are_sorted_and_listed_once():
    assert sm.__all__ == sorted(set(sm.__all__))


@pytest.mark.parametrize("name", sm.__all__)
def test_every_name_resolves(name):
    assert getattr(sm, name) is not None
    assert name in dir(sm)


def test_nothing_resolves_that_is_not_listed():
    hidden = set(sm._MODULES) | set(sm._PACKAGES)
    assert hidden | {"__version__"} == set(sm.__all__)


@pytest.mark.parametrize("name", NAMES_THAT_MUST_EXIST)
def test_the_promised_names_are_there(name):
    assert name in sm.__all__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'seedmap' has no attribute 'nothing'"):
        sm.nothing  # noqa: B018


@pytest.mark.parametrize("name", [name for name in sm.__all__ if name != "__version__"])
def test_every_name_says_what_it_is(name):
    assert inspect.getdoc(getattr(sm, name))


@pytest.mark.parametrize(
    "module",
    [
        "bids",
        "connectivity",
        "denoising",
        "errors",
        "images",
        "seeds",
        "spatial",
        "temporal",
        "testing",
    ],
)
def test_modules_export_what_they_list(module):
    face = importlib.import_module(f"seedmap.{module}")
    constants_first = sorted(face.__all__, key=lambda name: (not name.isupper(), name))
    assert face.__all__ == constants_first
    for name in face.__all__:
        thing = getattr(face, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name


def run_fresh(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "start", ["import seedmap", "import seedmap as sm; sm.Sphere; sm.Cleaning()"]
)
def test_importing_brings_in_nothing_heavy(start):
    loaded = run_fresh(f"{start}\nimport sys\nprint(*sys.modules)")
    heavy = [name for name in HEAVY if name in loaded]
    assert heavy == []


def test_errors_are_also_what_they_stand_for():
    errors = sm.errors
    assert issubclass(errors.TruncatedImage, errors.ImageError)
    for name in errors.__all__:
        kind = getattr(errors, name)
        if name == "SeedmapWarning":
            assert issubclass(kind, UserWarning)
            continue
        assert issubclass(kind, errors.SeedmapError)
        assert inspect.getdoc(kind)
        if name != "SeedmapError":
            assert issubclass(kind, ValueError | OSError)
