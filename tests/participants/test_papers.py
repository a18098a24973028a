"""What goes with the maps: pages, descriptor, and a data set that the BIDS validator accepts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seedmap.cli import main
from seedmap.cli.boutiques import text
from seedmap.datasets import make_study
from seedmap.report.charts import carpet, histogram, scatter, trace
from seedmap.report.study import motion_effect

ROOT = Path(__file__).parents[2]


def test_the_boutiques_descriptor_is_that_of_the_options():
    """If this fails: python -m seedmap.cli.boutiques > boutiques/seedmap.json."""
    assert (ROOT / "boutiques" / "seedmap.json").read_text() == text()


def test_the_boutiques_descriptor_of_lesions_is_that_of_the_options():
    """If this fails: python -m seedmap.cli.boutiques lesion > boutiques/seedmap-lesion.json."""
    assert (ROOT / "boutiques" / "seedmap-lesion.json").read_text() == text("lesion")
    inputs = {one["id"]: one for one in json.loads(text("lesion"))["inputs"]}
    needed = [name for name, one in inputs.items() if not one.get("optional")]
    assert needed == ["stores", "lesions", "out"]
    assert inputs["null"]["value-choices"] == ["matched", "none"]
    assert {"score", "against", "prior", "grey_matter", "maps", "space"} <= set(inputs)


def test_the_boutiques_descriptor_knows_both_levels():
    inputs = {one["id"]: one for one in json.loads(text())["inputs"]}
    level = inputs["analysis_level"]
    assert level["value-choices"] == ["participant", "group"]
    assert {"model", "contrast", "design"} <= set(level["value-disables"]["participant"])
    assert {"fd_thresh", "combine_runs"} <= set(level["value-disables"]["group"])
    assert "seed" not in [
        *level["value-disables"]["group"],
        *level["value-disables"]["participant"],
    ]
    assert (inputs["from_store"]["type"], inputs["group_from_store"]["type"]) == ("File", "Flag")
    assert {key for keys in level["value-disables"].values() for key in keys} <= set(inputs)


def test_the_image_is_built_from_what_is_there():
    text = (ROOT / "Containerfile").read_text()
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ")]
    ours = [path for paths in copied for path in paths if not path.startswith(("--", "/"))]
    assert {"pyproject.toml", "src"} <= set(ours)
    assert all((ROOT / path).exists() for path in ours)


def test_the_bids_validator_finds_no_error(tmp_path):
    beside = str(Path(sys.executable).parent)  # also where the environment is not activated
    validator = shutil.which(
        "bids-validator-deno", path=os.pathsep.join([beside, os.environ["PATH"]])
    )
    if validator is None:
        pytest.skip("no BIDS validator: pip install bids-validator-deno")
    study, out = (
        make_study(tmp_path / "study", 1, voxel_size=8, n_frames=120).folder,
        tmp_path / "out",
    )
    line = ["bids", str(study), str(out), "--seed", "PCC=0,-52,18", "--strategy", "6P", "--store"]
    assert main([*line, "--seed-robustness", "-q", "--nprocs", "1"]) == 0
    (out / "group").mkdir()
    (out / "lesion").mkdir()
    (out / "lesion" / "lesion_score-aphasia_stat-effect_statmap.nii.gz").write_text("a\n")
    for name in ("contrast-mean_desc-6P_clusters.tsv", "desc-6P_design.tsv", "desc-6P_report.html"):
        (out / "group" / f"group_task-rest_seed-PCC_{name}").write_text("a\n")
    found = subprocess.run(
        [validator, str(out), "--format", "json"], capture_output=True, text=True, check=False
    )
    issues = json.loads(found.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_motion_that_was_planted_in_connectivity_is_found():
    rng = np.random.default_rng(0)
    motion = rng.gamma(2, 0.1, 40)
    distance = np.linspace(0, 100, 300)
    noise = rng.standard_normal((40, 300))
    spoilt = noise + np.outer((motion - motion.mean()) / motion.std(), np.exp(-distance / 30)) * 2
    clean, dirty = (motion_effect("x", motion, values, distance) for values in (noise, spoilt))
    assert clean.median == pytest.approx(clean.by_chance, rel=0.25)
    assert clean.share < 0.15
    assert abs(clean.slope) < 0.2
    assert dirty.median > 2 * dirty.by_chance
    assert dirty.slope < -0.8
    expected = [np.corrcoef(motion, column)[0, 1] for column in noise.T[:5]]
    np.testing.assert_allclose(clean.r[:5], expected)


def test_few_participants_or_none_with_motion_say_nothing():
    values, distance = np.zeros((12, 3)), np.zeros(3)
    assert motion_effect("x", np.ones(9), values[:9], distance) is None
    assert motion_effect("x", np.full(12, np.nan), values, distance) is None


def test_charts_are_svg_that_says_what_it_shows():
    from xml.etree import ElementTree

    keep = np.ones(50, dtype=bool)
    keep[[3, 4, 20]] = False
    values = np.abs(np.sin(np.arange(50.0)))
    values[0] = np.nan
    drawn = [
        trace(values, keep, 2.0, name="Motion <mm>", threshold=0.5),
        trace(np.full(50, np.nan), keep, None, name="none"),
        histogram(np.linspace(-1, 1, 99), np.array([np.nan, 0.1]), name="r"),
        scatter(np.arange(30.0), np.linspace(-1, 1, 30), name="r", across="away"),
        scatter(np.array([1.0]), np.array([np.nan]), name="r", across="away"),
    ]
    for svg in drawn:
        root = ElementTree.fromstring(svg)
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"] == root[0].text
        assert "nan" not in svg.replace("no values", "").split("<title>")[1].split("</title>")[1]
    assert "3 of 50 frames censored" in drawn[0]
    assert drawn[0].count('class="gone"') == 2


def test_a_carpet_is_a_picture_with_white_where_frames_are_censored():
    import base64
    import io

    from PIL import Image

    keep = np.array([True, True, False, True])
    series = np.array([[0.0, 5], [1, 5], [-1, 5]])
    uri = carpet(series, keep)
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    assert picture.shape == (2, 4)
    assert (picture[:, 2] == 255).all()
    assert picture[0, 3] < picture[0, 0] < picture[0, 1]
    assert (picture[1, keep] == 127).all()
