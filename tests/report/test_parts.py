"""The page of a run and that of a participant have the same parts, made from the same facts."""

import re
from urllib.parse import unquote

import html5lib
import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.cli import main
from seedmap.datasets import make_phantom

PARTS = ("Motion", "Before and after cleaning", "Clusters", "Numbers", "What was done", "Files")


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    return make_phantom(folder, layout="bids", voxel_size=8, n_frames=120)


def first_run(phantom):
    return min(phantom.folder.rglob("sub-01*desc-preproc_bold.nii.gz"))


def links(page):
    """Return the files that a page links to."""
    found = re.findall(r'href="([^"#][^"]*)"', page.read_text())
    return [page.parent / unquote(one) for one in found]


def test_few_samples_are_those_of_the_run_and_of_its_maps(phantom):
    bold = first_run(phantom)
    maps = sm.seed_maps(bold, "PCC=0,-52,18", strategy="24P_scrub", smoothing_fwhm=None)
    quality, keep = maps.quality, maps.provenance.keep
    values = nib.load(bold).get_fdata()[maps.space.mask][quality.samples].T
    np.testing.assert_allclose(quality.before, values[keep], rtol=1e-5)
    seed = maps.seed_series[:, 0]
    r = [np.corrcoef(seed, one)[0, 1] for one in quality.after.T]
    np.testing.assert_allclose(r, maps.r[0][quality.samples], atol=2e-4)
    dropped = {frame for frames in quality.censored.values() for frame in frames}
    assert dropped == set(np.flatnonzero(~keep).tolist())
    assert set(quality.reasons) == set(maps.provenance.confounds)
    assert quality.motion["framewise_displacement"].shape == keep.shape


def test_frames_that_a_mask_leaves_out_are_said_to_be(phantom):
    keep = np.ones(120, dtype=bool)
    keep[[4, 90]] = False
    maps = sm.seed_maps(
        first_run(phantom), "PCC=0,-52,18", strategy="none", sample_mask=keep, uncertainty=None
    )
    assert maps.quality.censored["sample_mask"] == (4, 90)
    assert "framewise_displacement" in maps.quality.motion  # from the table beside the run


def test_the_page_of_a_run(phantom, tmp_path):
    arguments = ["run", str(first_run(phantom)), "--seed", "PCC=0,-52,18", "--quiet"]
    arguments += ["--strategy", "24P_scrub", "--threshold", "0.2", "--min-cluster", "2"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    (page,) = tmp_path.glob("*_report.html")
    text = page.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert [part for part in PARTS if f">{part}</h2>" not in text] == []
    assert "Framewise displacement [mm]" in text
    assert "Confounds and why" in text
    assert ">1a</th>" in text
    linked = links(page)
    assert [path for path in linked if not path.is_file()] == []
    ends = {path.name.split("seed-PCC_")[-1] for path in linked}
    assert {"stat-r_statmap.nii.gz", "stat-q_statmap.nii.gz", "clusters.tsv"} <= ends


def test_the_page_of_a_participant(phantom, tmp_path):
    arguments = [str(phantom.folder), str(tmp_path), "participant", "--participant-label", "01"]
    arguments += ["--seed", "PCC=0,-52,18", "--threshold", "0.2", "--nprocs", "1", "--quiet"]
    assert main(["bids", *arguments]) == 0
    page = tmp_path / "sub-01.html"
    text = page.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    tables = [path for path in links(page) if path.name.endswith("_clusters.tsv")]
    assert len(tables) == text.count("<h4>Clusters</h4>") > 0
    for table in tables:
        first = table.read_text().splitlines()[1].split("\t")
        assert first[0] == "1"
        x, y, z = (f"{float(value):.0f}".replace("-", "\N{MINUS SIGN}") for value in first[1:4])
        assert f"({x}, {y}, {z})" in text
