"""The report: its words, its tables, its page and its files."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from seedmap.analysis import Provenance, SeedFacts, SeedMaps
from seedmap.analysis.uncertainty import Certainty
from seedmap.errors import OutputError
from seedmap.images import Grid
from seedmap.report import (
    Picture,
    Pictures,
    describe_cleaning,
    render_report,
    summarize,
    write_report,
)
from seedmap.report.tables import run_facts, seed_table
from seedmap.report.words import count, describe_certainty, listed, number, percent, true_minus
from seedmap.temporal import Cleaning

PCC = SeedFacts("PCC", "sphere of 8 mm radius at (0, -52, 18) mm", (0.0, -52.0, 18.0), 32, 0.91)
OWN = SeedFacts("own <b>", "time course of 20 values", None, 0, float("nan"))
DATE = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
# A PNG of one white pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8ff"
    "ff3f0005fe02fea73581e30000000049454e44ae426082"
)


def provenance(**changes):
    keep = np.ones(20, bool)
    keep.setflags(write=False)
    plain = Provenance(
        source="data/sub-01_task-rest_desc-preproc_bold.nii.gz",
        t_r=2.0,
        t_r_source="json",
        keep=keep,
        cleaning=Cleaning(),
        smoothing_fwhm=6.0,
        confounds=(),
        confounds_source="",
        confound_rank=0,
        rank=7,
        mask_source="background",
        seeds=(PCC,),
        constant=1,
        unusable=2,
        codes=(4, 4),
    )
    return replace(plain, **changes)


def censored(*frames):
    keep = np.ones(20, bool)
    keep[list(frames)] = False
    return keep


def seed_maps(seeds=(PCC,), certainty=None, **changes):
    source = provenance(seeds=seeds, **changes)
    space = Grid(
        np.diag([30.0, 30, 30, 1]) + np.outer([-75, -100, -60, 0], [0, 0, 0, 1]), np.ones((5, 6, 5))
    )
    rng = np.random.default_rng(0)
    r = np.tanh(rng.standard_normal((len(seeds), space.n_samples)) * 0.4).astype(np.float32)
    r[:, :3] = np.nan
    r[:, 10], r[:, 11] = 0.98, -0.81
    few = np.array([20, 75, 120])
    for array in (r, few):
        array.setflags(write=False)
    return SeedMaps(
        seeds=tuple(facts.name for facts in seeds),
        space=space,
        r=r,
        seed_series=rng.standard_normal((source.kept, len(seeds))),
        sample_series=rng.standard_normal((source.kept, few.size)),
        sample_indices=few,
        provenance=source,
        near=tuple(np.array([10]) if facts.voxels else np.array([], int) for facts in seeds),
        certainty=certainty,
    )


class TestMethodsParagraph:
    """Snapshots: a change here changes what people paste into papers."""

    def test_the_defaults(self):
        assert describe_cleaning(provenance()) == (
            "The run has 20 frames with a repetition time of 2 s (from the JSON beside the run); "
            "none was censored. "
            "The brain was smoothed with a Gaussian kernel of 6 mm full width at half maximum; "
            "seed time series were extracted from unsmoothed data. "
            "Every series had its mean and a straight line removed and was band-pass filtered "
            "from 0.01 to 0.1 Hz (Butterworth of order 5, run forwards and backwards). "
            "For the filter each series was continued past its ends, mirrored through its end "
            "points. "
            "No confounds were regressed out. "
            "r is the Pearson correlation of the cleaned series of a seed and of a voxel over "
            "the 20 kept frames; Fisher z is atanh r."
        )

    def test_everything_at_once(self):
        source = provenance(
            keep=censored(0, 7, 8),
            confounds=("csf", "white_matter"),
            confounds_source="confounds.tsv",
            confound_rank=2,
            t_r_source="header",
            smoothing_fwhm=(4.0, 4.0, None),
            cleaning=Cleaning(edges="even", fill="spline"),
        )
        assert describe_cleaning(source) == (
            "The run has 20 frames with a repetition time of 2 s (from the image's header); "
            "3 (15 %) were censored. "
            "The brain was smoothed with a Gaussian kernel of 4 x 4 x 0 mm full width at half "
            "maximum; seed time series were extracted from unsmoothed data. "
            "Every series was cut to the span between its first and its last kept frame, had its "
            "censored frames bridged by cubic splines, had its mean and a straight line removed, "
            "was band-pass filtered from 0.01 to 0.1 Hz (Butterworth of order 5, run forwards and "
            "backwards) and then lost its censored frames. "
            "For the filter each series was continued past its ends, mirrored as a whole. "
            "2 confounds (csf, white_matter) were filtered identically, centred and "
            "regressed out on the kept frames (2 degrees of freedom lost to nuisance regression). "
            "r is the Pearson correlation of the cleaned series of a seed and of a voxel over "
            "the 17 kept frames; Fisher z is atanh r."
        )

    def test_without_filter_censored_frames_are_dropped_first(self):
        source = provenance(
            keep=censored(5), cleaning=Cleaning(filter=None), t_r=None, smoothing_fwhm=None
        )
        assert describe_cleaning(source) == (
            "The run has 20 frames of unknown repetition time; 1 (5.0 %) was censored. "
            "The brain was not smoothed. "
            "Every series had its mean and a straight line removed, over the kept frames. "
            "No confounds were regressed out. "
            "r is the Pearson correlation of the cleaned series of a seed and of a voxel over "
            "the 19 kept frames; Fisher z is atanh r."
        )

    def test_cosines_are_regressors(self):
        source = provenance(cleaning=Cleaning(filter="cosine", low_pass=None), confound_rank=1)
        words = describe_cleaning(source)
        assert "Cosines slower than 0.01 Hz were detrended identically" in words
        assert "(1 degree of freedom lost to nuisance regression)." in words
        assert "Butterworth" not in words

    @pytest.mark.parametrize(
        ("low", "high", "said"),
        [(0.01, None, "high-pass filtered at 0.01 Hz"), (None, 0.1, "low-pass filtered at 0.1 Hz")],
    )
    def test_one_edge(self, low, high, said):
        cleaning = Cleaning(high_pass=low, low_pass=high, detrend=False)
        assert f"Every series was {said} (" in describe_cleaning(provenance(cleaning=cleaning))

    def test_no_cleaning_at_all(self):
        cleaning = Cleaning(filter=None, detrend=False, standardize_confounds=False)
        source = provenance(cleaning=cleaning, confounds=("a",), confound_rank=1)
        words = describe_cleaning(source)
        assert "Every series" not in words
        assert "1 confound (a) were taken as they are" not in words
        assert "1 confound (a) was taken as it is and regressed out" in words

    def test_many_confounds_are_counted(self):
        source = provenance(confounds=tuple(f"c{n}" for n in range(30)), confound_rank=12)
        assert "30 confounds were filtered identically" in describe_cleaning(source)

    def test_a_time_course_is_not_taken_from_the_data(self):
        assert "unsmoothed" not in describe_cleaning(provenance(seeds=(OWN,)))


class TestWords:
    def test_summary_of_one(self):
        maps = seed_maps()
        beyond = np.count_nonzero(np.abs(maps.r) > 0.5)
        assert summarize(maps, 0.5) == (
            f"Correlation of PCC with each of 150 voxels over 20 frames (40 s): r runs from −0.81 "  # noqa: RUF001
            f"to 0.98; {beyond} voxels ({100 * beyond / 147:.0f} %) have |r| > 0.5."
        )

    def test_summary_of_several(self):
        assert summarize(seed_maps((PCC, OWN)), 0.5).startswith("Correlation of PCC and own <b> ")
        many = tuple(replace(PCC, name=f"s{n}") for n in range(12))
        assert summarize(seed_maps(many), 0.5).startswith("Correlation of 12 seeds with ")

    def test_summary_where_nothing_is_finite(self):
        maps = seed_maps()
        maps = replace(maps, r=np.full_like(maps.r, np.nan))
        assert "r could not be computed in any voxel; 0 voxels (" in summarize(maps, 0.5)

    def test_numbers(self):
        assert number(-0.5) == "\N{MINUS SIGN}0.50"
        assert number(-0.001) == "0.00"
        assert number(float("nan")) == "\N{EN DASH}"
        assert [percent(p, 1000) for p in (0, 0.5, 1, 99, 100, 1000)] == [
            "0 %",
            "under 0.1 %",
            "0.1 %",
            "9.9 %",
            "10 %",
            "100 %",
        ]
        assert percent(3, 0) == "\N{EN DASH}"
        assert count(1, "frame") == "1 frame"
        assert count(12345, "voxel") == "12,345 voxels"
        assert listed([]) == ""
        assert listed(["a"]) == "a"
        assert listed(["a", "b", "c"]) == "a, b and c"
        assert true_minus("sub-01 at (0, -52, -.5)") == "sub-01 at (0, −52, −.5)"  # noqa: RUF001


class TestTables:
    def test_a_value_a_seed(self):
        table = seed_table(seed_maps((PCC, OWN)), 0.5)
        first, second = ({name: row[seed] for name, row in table} for seed in (0, 1))
        assert first["Coverage"] == "91 %"
        assert first["Voxels in seed"] == "32"
        assert first["Max r"] == "0.98"
        assert first["Max Fisher z"] == f"{np.arctanh(0.98):.2f}"
        assert first["NaN"] == "3"
        assert second["Coverage"] == second["Voxels in seed"] == "\N{EN DASH}"
        assert "Voxels with |r| > 0.5" in first

    def test_the_largest_r_outside_the_seed(self):
        maps = seed_maps((PCC, OWN))
        assert dict(seed_table(maps, 0.5))["Max r elsewhere"] == [
            f"{np.nanmax(np.delete(maps.r[0], 10)):.2f}",
            "0.98",
        ]

    def test_error_bars_where_there_are_any(self):
        dof = np.full((1, 150), 40.0, np.float32)
        certainty = Certainty("operator", dof, rank=60, white_dof=50.0, noise_autocorrelation=())
        maps = seed_maps(certainty=certainty)
        table = dict(seed_table(maps, 0.5))
        assert table["Median dof"] == ["40.0"]
        found = np.count_nonzero(maps.values("PCC", "q") < 0.05)
        assert table["Voxels with q < 0.05"][0].startswith(f"{found} (")
        assert "Benjamini-Hochberg" in describe_certainty(maps)
        assert "Median dof" not in dict(seed_table(seed_maps(), 0.5))
        assert "no error bars" in describe_certainty(seed_maps())

    def test_facts(self):
        facts = dict(run_facts(seed_maps(keep=censored(0, 7, 8, 9))))
        assert facts["Frames"] == "20 in the run, 16 kept"
        assert facts["Censored frames"] == "0, 7\N{EN DASH}9 (counted from 0)"
        assert facts["Repetition time"] == "2 s, from the JSON beside the run"
        assert facts["Rank after cleaning"] == "7 of 16"
        assert facts["Voxels without r"].startswith("1 constant, 2 not finite")
        assert dict(run_facts(seed_maps(t_r=None)))["Repetition time"] == "unknown"


class Strict(HTMLParser):
    """Checks that tags nest, ids are unique, and nothing is loaded from elsewhere."""

    VOID = frozenset({"meta", "img", "br", "link", "hr", "input"})

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.images, self.refers, self.text = [], [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.refers += attributes.get("aria-labelledby", "").split()
        if tag == "img":
            self.images.append(attributes)
        assert tag not in {"link", "iframe"}
        assert tag != "script" or "src" not in attributes
        assert attributes.get("href", "figures/").startswith("figures/")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


class TestPage:
    def page(self, pictures=None, **changes):
        maps = seed_maps((PCC, OWN), **changes)
        if pictures is None:
            one = Picture(
                PIXEL, 1, 1, alt='three "cuts"', caption="cap & tion", pdf="figures/a.pdf"
            )
            pictures = Pictures({"PCC": one}, (one,))
        return render_report(maps, pictures, threshold=0.5, date=DATE)

    def test_is_whole_and_loads_nothing(self):
        page = self.page(command="seedmap run x --seed 'a<b>'")
        assert page.lstrip().startswith("<!DOCTYPE html>")
        strict = Strict(page)
        assert len(strict.ids) == len(set(strict.ids))
        assert set(strict.refers) <= set(strict.ids)
        assert not re.search(r"https?://|url\(|@import", page)
        for image in strict.images:
            assert image["src"].startswith("data:image/png;base64,")
            assert image["alt"] == 'three "cuts"'

    def test_the_date_is_read_by_programs(self):
        (stated,) = re.findall(r'<time datetime="([^"]+)">', self.page())
        assert datetime.fromisoformat(stated) == DATE

    def test_says_what_there_is_to_say(self):
        text = re.sub(r"\s+", " ", "".join(Strict(self.page(command="seedmap run x")).text))
        for said in (
            "sub-01_task-rest",
            "Fisher z (atanh r), not a z-score",
            "The run has 20 frames",
            "seedmap run x",
            "2026-03-04 05:06 UTC",
            "own <b>",
            "No figure was drawn",
        ):
            assert said in text
        for library in ("seedmap", "numpy", "scipy", "nibabel", "nilearn"):
            assert re.search(rf"{library} \d", text)

    def test_reads_on_a_phone_in_the_dark_and_on_paper(self):
        page = self.page()
        assert '<html lang="en">' in page
        assert 'name="viewport"' in page
        assert "prefers-color-scheme: dark" in page
        assert "@media print" in page

    def test_without_pictures(self):
        strict = Strict(self.page(Pictures({})))
        assert strict.images == []
        assert "series" not in strict.ids

    def test_the_same_maps_give_the_same_page(self):
        assert self.page() == self.page()


class TestFiles:
    def test_figures_and_page(self, tmp_path):
        paths = write_report(seed_maps((PCC, OWN), keep=censored(3, 4)), tmp_path / "out")
        assert [str(path.relative_to(tmp_path / "out")) for path in paths] == [
            "figures/sub-01_task-rest_seed-PCC_stat-r_statmap.pdf",
            "figures/sub-01_task-rest_seed-PCC_stat-r_statmap.png",
            "figures/sub-01_task-rest_seed-ownb_stat-r_statmap.pdf",
            "figures/sub-01_task-rest_seed-ownb_stat-r_statmap.png",
            "figures/sub-01_task-rest_timeseries.pdf",
            "figures/sub-01_task-rest_timeseries.png",
            "figures/sub-01_task-rest_voxels.pdf",
            "figures/sub-01_task-rest_voxels.png",
            "sub-01_task-rest_report.html",
        ]
        assert sorted(p for p in (tmp_path / "out").rglob("*") if p.is_file()) == sorted(paths)
        page = Strict(paths[-1].read_text())
        assert len(page.images) == 4
        assert "(0, \N{MINUS SIGN}52, 18) mm" in page.images[0]["alt"]

    def test_without_figures(self, tmp_path):
        paths = write_report(seed_maps(), tmp_path, figures=False)
        assert [path.name for path in paths] == ["sub-01_task-rest_report.html"]
        assert list(tmp_path.iterdir()) == paths

    def test_a_template_that_may_not_fit_is_said(self, tmp_path):
        *_, page = write_report(seed_maps(codes=(1, 1)), tmp_path)
        assert "does not say that it is in that space" in page.read_text()

    def test_a_folder_that_is_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="file"):
            write_report(seed_maps(), tmp_path / "file", figures=False)
