"""Pages of studies and participants: valid, complete without the network, every link leads somewhere."""

import re

import html5lib
import numpy as np
import pytest

from seedmap.report.participant import ParticipantPage, RunPage, StrategyPage, render_participant
from seedmap.report.study import MapOfStudy, StudyPage, StudyRow, outliers, render_study

RNG = np.random.default_rng(0)


def strategy(name, **changes):
    given = {
        "name": name,
        "columns": (("trans_x", "motion"),),
        "censored": {"framewise_displacement > 0.5 mm": (3,)},
        "keep": np.arange(20) != 3,
        "rank": 12,
        "before": RNG.standard_normal((19, 5)),
        "after": RNG.standard_normal((19, 5)),
        "signal": (("tSNR", "50.0"), ("Left hemisphere", "3 of 4 vertices")),
        "seeds": ("PCC",),
        "table": (("Max r", ["0.9"]),),
        "pictures": {},
        "methods": "It was cleaned.",
    }
    return StrategyPage(**(given | changes))


def run(name, *strategies):
    fd = np.abs(RNG.standard_normal(20))
    return RunPage(name, (("Frames", "20"),), 2.0, {"framewise_displacement": fd}, 0.5, strategies)


def check(text):
    """Refuse invalid HTML, anything that would be loaded, and links that lead nowhere."""
    html5lib.HTMLParser(strict=True).parse(text)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)
    assert set(re.findall(r'aria-labelledby="([^"]+)"', text)) <= set(ids)
    assert text.count("<img") == len(re.findall(r'<img[^>]* alt="[^"]+"', text))


def test_a_page_of_several_runs_leads_to_each():
    runs = tuple(run(f"sub-01_run-{n}", strategy("6P"), strategy("36P")) for n in (1, 2))
    text = render_participant(ParticipantPage("01", runs))
    check(text)
    assert 'href="#run2-2"' in text
    assert "may be used in a paper" in text


def test_a_page_of_one_run_and_strategy_needs_no_contents():
    text = render_participant(ParticipantPage("01", (run("sub-01", strategy("6P")),)))
    check(text)
    assert "<nav" not in text


def test_a_page_without_a_run_says_why():
    text = render_participant(ParticipantPage("01", (), ("sub-01: it is <broken>",)))
    check(text)
    assert "No run could be analysed." in text
    assert "it is &lt;broken&gt;" in text
    assert "may be used in a paper" not in text


def test_samples_are_called_what_they_are():
    one = strategy("6P", elements="vertices", order=": left, right", undrawn="No place is known.")
    text = render_participant(ParticipantPage("01", (run("sub-01", one),)))
    check(text)
    assert "5 vertices spread over the mask, one a row: left, right, before" in text
    assert "Correlations between vertices" in text
    assert "No place is known." in text
    assert "voxel" not in text


@pytest.mark.parametrize("failed", [0, 2])
def test_a_study_names_those_that_failed_first(failed):
    rows = [
        StudyRow("01", "done", "task-rest", "6P", "19 of 20", 0.1, 12.0, 1.0, page="sub-01.html")
    ]
    rows += [
        StudyRow(f"1{n}", "failed", reason="broken", page=f"sub-1{n}.html") for n in range(failed)
    ]
    page = StudyPage("Study", tuple(rows), methods=("Seeds were PCC at (0, -52, 18) mm.",))
    text = render_study(page)
    check(text)
    header = text.split("</header>")[0]
    assert header.count('href="sub-1') == failed
    assert ("failed in whole or in part" in header) == bool(failed)
    assert "\N{MINUS SIGN}52" in text


def test_a_study_of_one_is_one_participant():
    text = render_study(StudyPage("Study", (StudyRow("01", "done"),)))
    assert "1 participant, 1 complete." in text


def test_outliers_are_on_the_bad_side():
    fd = (0.10, 0.12, 0.11, 0.13, 0.09, 0.9)
    dof = (50.0, 52.0, 51.0, 49.0, 90.0, 50.5)
    rows = [
        StudyRow(f"0{n}", "done", "task-rest", "36P", "100 of 100", a, b, 1.0)
        for n, (a, b) in enumerate(zip(fd, dof, strict=True))
    ]
    assert outliers(rows) == {(5, "mean_fd")}  # 90 degrees of freedom are far, and good
    assert outliers(rows[:4] + rows[5:]) == {(4, "mean_fd")}
    assert outliers(rows[2:]) == set()  # four say nothing
    text = render_study(StudyPage("Study", tuple(rows)))
    check(text)
    assert text.count("<span>outlier</span>") == 1


def test_all_maps_of_a_seed_stand_together():
    maps = tuple(
        MapOfStudy(seed, "36P", f"sub-0{n}", f"sub-0{n}/figures/{seed}.png", f"sub-0{n}.html")
        for n in (1, 2)
        for seed in ("PCC", "LM")
    )
    text = render_study(StudyPage("Study", (StudyRow("01", "done"),), maps=maps))
    check(text)
    grids = text.split('<ul class="grid">')[1:]
    assert [part.split("</ul>")[0].count("<img") for part in grids] == [2, 2]
    assert re.findall(r'src="([^"]+)"', grids[0]) == [
        "sub-01/figures/PCC.png",
        "sub-02/figures/PCC.png",
    ]
