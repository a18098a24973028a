"""The benchmarks run, on a phantom of a thousand voxels: what they find there means nothing."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(
    not BENCHMARKS.is_dir() or sys.platform == "win32",
    reason="the benchmarks are not here, or this system does not report what a process took",
)


def run(script, *arguments):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.mark.full
def test_the_table_is_made(work):
    files = work / "results.json", work / "page.md"
    printed = run(
        *("bench.py", "--cases", "tiny", "--repeats", 1, "--nilearn-repeats", 0, "--no-commands"),
        *("--seeds", 5, "--work", work, "--json", files[0], "--page", files[1]),
    )
    found = json.loads(files[0].read_text())["cases"]["tiny"]
    assert {"floor", "seedmap none", "seedmap operator", "seedmap many"} <= set(found)
    assert all(one["wall"] > 0 and one["peak"] > 0 for one in found.values() if "wall" in one)
    assert "| 12 mm, 60 volumes" in printed
    assert "| 12 mm, 60 volumes" in files[1].read_text()


@pytest.mark.full
def test_the_curves_are_drawn(work):
    files = work / "scaling.json", work / "scaling.md"
    printed = run(
        *("scaling.py", "--trial", "--repeats", 1, "--work", work),
        *("--json", files[0], "--page", files[1]),
    )
    curves = json.loads(files[0].read_text())["curves"]
    assert set(curves) == {"volumes", "voxels", "seeds"}
    assert [point["seeds"] for point in curves["seeds"]] == [1, 5]
    assert all(seconds > 0 for points in curves.values() for seconds in points[-1]["wall"].values())
    assert "**Seeds.**" in printed
    assert "(scaling.svg)" in files[1].read_text()
    assert files[1].with_suffix(".svg").read_text().startswith("<?xml")


def test_a_missed_target_is_reported_with_a_profile():
    tables = runpy.run_path(str(BENCHMARKS / "harness" / "tables.py"))
    stages = {"prepare": 0.1, "read, smooth": 1.0}
    one = {"wall": 1.1, "peak": 1e6, "stages": stages}
    case = {"title": "2 mm", "floor": {**one, "wall": 0.5}, "seedmap none": one}
    many = {**one, "wall": 4.4}
    text = tables["missed"]({"cases": {"2mm": {**case, "seedmap many": many}}})
    assert "2 mm, 1000 seeds over one seed" in text
    assert "seedmap, 1000 seeds: 4.4 in all, prepare 0.1; read, smooth 1" in text
    assert "Tried: " in text
    assert tables["missed"]({"cases": {"2mm": {**case, "seedmap many": one}}}) == ""


@pytest.mark.parametrize(("case", "limit"), [("4mm", 1.5), ("2mm", 1.3)])
def test_error_bars_may_take_little(case, limit):
    tables = runpy.run_path(str(BENCHMARKS / "harness" / "tables.py"))
    for over, holds in ((limit - 0.01, True), (limit + 0.01, False)):
        measured = {"title": case, "wall": {"ratio": over}}
        (found,) = tables["bar_targets"]({"bars": {"cases": {case: measured}}})
        assert found.met is holds


def test_the_time_of_error_bars_is_that_of_turns(work):
    files = work / "bars.json", work / "bars.md"
    files[0].write_text(json.dumps({"cases": {}, "machine": {}, "command": "", "date": ""}))
    options = ("--cases", "tiny", "--work", work, "--json", files[0], "--page", files[1])
    printed = run("bench.py", "--bars", 1, *options)
    found = json.loads(files[0].read_text())["bars"]["cases"]["tiny"]
    for what in ("wall", "cpu", "peak"):
        assert found[what]["ratio"] == pytest.approx(found[what]["operator"] / found[what]["none"])
    assert found["cpu"]["operator"] > 0
    assert "| 12 mm, 60 volumes" in printed
    assert "## With error bars" in files[1].read_text()


@pytest.mark.full
def test_what_is_lost_is_found(work):
    stored = work / "stored.json"
    options = ("--work", work, "--run", "tiny", "--repeats", 1, "--stored", stored)
    run("check.py", "--store", *options)
    found = json.loads(stored.read_text())
    assert all(value > 0 for value in found.values())
    stored.write_text(json.dumps({name: value / 100 for name, value in found.items()}))
    with pytest.raises(AssertionError):
        run("check.py", *options)


@pytest.mark.full
def test_the_table_of_the_explorer_of_a_group_is_made(work):
    page = work / "group.md"
    printed = run("bench_explorer_group.py", "--clicks", 1, "--cases", 1, "--page", page)
    assert "| 100 x 29,396 x 64, int16 | 376 |" in printed
    assert printed.strip() in page.read_text()
