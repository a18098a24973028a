"""``seedmap run --seed-robustness``: the files, the section of the page, the words on the screen."""

import json
import re

import numpy as np
import pytest

import seedmap as sm
from seedmap.analysis import KindOfChange, RobustnessSettings, SeedRobustness
from seedmap.cli import main
from seedmap.report.charts import Bar, bars
from seedmap.report.robustness import draw_survival, robust_sections

SEED = "PCC=0,-52,18"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return sm.datasets.make_phantom(
        tmp_path_factory.mktemp("phantom"), voxel_size=8, n_frames=150, layout="bids"
    )


@pytest.fixture(scope="module")
def written(phantom, tmp_path_factory):
    """One call with figures."""
    out = tmp_path_factory.mktemp("out")
    line = ["run", str(phantom.func[0]), "--seed", SEED, "--strategy", "6P", "--seed-robustness"]
    assert main([*line, "--other-strategies", "9P", "none", "-o", str(out)]) == 0
    return out


def test_maps_table_and_section_are_written_together(written):
    for stat in ("r", "z", "q", "survival", "seederror"):
        (sidecar,) = written.glob(f"*_seed-PCC_stat-{stat}_statmap.json")
        assert "seed-PCC" in sidecar.name
    facts = json.loads(next(written.glob("*stat-seederror_statmap.json")).read_text())
    assert facts["VirtualSeeds"] == 64
    assert facts["CentresWithin"] == 8
    assert "--seed-robustness" in facts["Command"]
    (table,) = written.glob("*_robustness.tsv")
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert [row[0] for row in rows[1:]] == [
        "centre4",
        "centre8",
        "size",
        "half",
        "time",
        "cleaning",
    ]
    assert rows[-1][-1] == "6P, 9P, none"
    assert set(json.loads(table.with_suffix(".json").read_text())) == {*rows[0], "RandomState"}


def test_the_page_prints_the_reading_and_its_limits_beside_the_number(written):
    (page,) = written.glob("*_report.html")
    text = re.sub(r"\s+", " ", page.read_text())
    assert "What moves this map?" in text
    assert "not therefore a map of neurons" in text
    (table,) = written.glob("*_robustness.tsv")
    error = next(
        float(line.split("\t")[4]) for line in table.read_text().splitlines() if "centre8" in line
    )
    assert f"move the map of PCC by {error:.2f} of its own standard error" in text
    assert (
        "the map of PCC was compared with those of 64 seeds with centres uniform within 4 mm, 64 seeds "
        "with centres uniform within 8 mm, 4 of other sizes, 64 random halves of its voxels, the 2 "
        "halves of the run, 20 s apart and 3 cleanings."
    ) in text
    assert text.count('class="bar"') == 6
    assert text.count('class="usual"') == 3
    section = text[text.index('id="moves"') :].split("</section>")[0]
    assert not re.search(r"\b(robust|specific|reliable)\b", section)
    assert "stat-survival_statmap.pdf" in section


def test_the_screen_says_how_far_the_map_moves(phantom, tmp_path, capsys):
    line = ["run", str(phantom.func[0]), "--seed", SEED, "--strategy", "6P", "--no-figures"]
    assert main([*line, "--seed-robustness", "-o", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"PCC moves +0\.\d\d se, centre within 4 mm", printed)
    assert "Seeds within 8 mm move the map of PCC" in printed


def test_it_goes_with_correction_for_the_whole_map(phantom, tmp_path):
    line = ["run", str(phantom.func[0]), "--seed", SEED, "--strategy", "6P", "--no-figures", "-q"]
    assert main([*line, "--seed-robustness", "--fwe", "-o", str(tmp_path)]) == 0
    names = {path.name.split("_stat-")[-1] for path in tmp_path.glob("*_statmap.nii.gz")}
    assert {"pfwe_statmap.nii.gz", "survival_statmap.nii.gz"} <= names


def test_nothing_of_it_stays_beside_maps_that_were_made_without_it(phantom, tmp_path):
    line = ["run", str(phantom.func[0]), "--seed", SEED, "--no-figures", "-q", "-o", str(tmp_path)]
    assert main([*line, "--strategy", "6P", "--seed-robustness"]) == 0
    assert list(tmp_path.glob("*_robustness.tsv"))
    other = ["run", str(phantom.func[0]), "--seed", "M1=-36,-25,57", *line[4:]]
    assert main([*other, "--strategy", "6P"]) == 0
    assert list(tmp_path.glob("*_robustness.tsv"))
    assert main([*line, "--strategy", "9P"]) == 0
    assert not list(tmp_path.glob("*_robustness.*"))
    assert not list(tmp_path.glob("*_stat-survival_*"))


def test_a_stored_run_has_it_too(phantom, tmp_path):
    pytest.importorskip("zarr")
    study, out = phantom.folder, tmp_path / "study"
    line = ["--strategy", "6P", "9P", "--nprocs", "1", "--no-figures", "-q", "--store"]
    assert main(["bids", str(study), str(out), "participant", "--seed", SEED, *line]) == 0
    one, other = sorted((out / "store").glob("*.zarr"))
    found = tmp_path / "found"
    line = ["run", "--from-store", str(one), "--seed", SEED, "--seed-robustness", "--no-figures"]
    assert main([*line, "--other-strategies", str(other), "-q", "-o", str(found)]) == 0
    (table,) = found.glob("*_robustness.tsv")
    rows = table.read_text().splitlines()
    assert len(rows) == 7
    assert rows[-1].endswith("6P, 9P")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--other-strategies", "9P"], "without --seed-robustness"),
        (["--seed-robustness", "--measure", "spearman"], "known for the correlation"),
        (["--seed-robustness", "--uncertainty", "none"], "known for the correlation"),
        (["--seed-robustness", "--other-strategies", "99P"], "99P"),
    ],
)
def test_what_does_not_go_together_ends_in_one_line(phantom, tmp_path, capsys, more, words):
    line = ["run", str(phantom.func[0]), "--seed", SEED, "--strategy", "6P", "-o", str(tmp_path)]
    assert main([*line, *more]) == 2
    said = [one for one in capsys.readouterr().err.splitlines() if one.startswith("seedmap")]
    assert len(said) == 1
    assert words in said[0]


def test_bars_have_the_length_of_their_values():
    nothing = (np.nan,) * 3
    drawn = bars([Bar("a", 0.5, (0.1, 0.2, 0.4)), Bar("b <c>", 1.0, nothing)], name="maps")
    widths = [float(w) for w in re.findall(r'class="bar"[^>]* width="([\d.]+)"', drawn)]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    band = float(re.search(r'class="usual"[^>]* width="([\d.]+)"', drawn)[1])
    assert band == pytest.approx(0.6 * widths[0], abs=0.2)
    line = float(re.search(r'class="limit" x1="([\d.]+)"', drawn)[1])
    assert line == pytest.approx(190 + widths[1], abs=0.2)
    assert drawn.count('class="usual"') == 1
    assert "b &lt;c&gt;" in drawn
    assert "a 0.50; b" in drawn


def test_a_seed_that_cannot_be_moved_has_a_note_and_no_picture(phantom, tmp_path):
    maps = sm.seed_maps(phantom.func[0], SEED, strategy="none")
    note = "the seed is one place and has no halves"
    rows = (KindOfChange(seed="PCC", kind="half", note=note),)
    nothing = np.full_like(maps.r, np.nan)
    moved = {"survival": nothing, "seederror": nothing}
    found = SeedRobustness.of(maps, rows, moved, RobustnessSettings())
    (section,) = robust_sections(found, draw_survival(found, tmp_path, found.default_threshold))
    assert section.notes == (f"Half of its voxels: {note}.",)
    assert section.picture is None
    assert section.chart == section.reading == ""
