"""Thresholds as they are typed, and the clusters of maps whose clusters are known."""

import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

import seedmap as sm
from seedmap.cli import main
from seedmap.clusters import Threshold, clusters_table, find_clusters, names_in, parse_threshold
from seedmap.datasets import make_phantom
from seedmap.errors import ImageError, OptionError, SpaceMismatch
from seedmap.images import Grid
from seedmap.spatial import Atlas, landmarks, open_atlas

AFFINE = np.array([[-3.0, 0, 0, 12], [0, 3, 0, -9], [0, 0, 4, 2], [0, 0, 0, 1]])
SHAPE = (8, 7, 6)


@pytest.fixture
def grid():
    mask = np.ones(SHAPE, dtype=bool)
    mask[0] = False
    return Grid(AFFINE, mask)


@pytest.fixture
def volume():
    """Two clusters above, one below, and a voxel that touches one of them by an edge only."""
    r = np.zeros(SHAPE)
    r[2:5, 2, 2] = (0.6, 0.9, 0.7)
    r[5, 3, 2] = 0.8  # shares an edge, no face
    r[6, 5:, 4] = -0.7
    r[6, 5, 3] = -0.95
    r[2, 3, 2] = -0.6  # touches the first cluster, with the other sign
    return r


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.5", ("r", 0.5)),
        (0.25, ("r", 0.25)),
        (0, ("r", 0.0)),
        ("r>0.5", ("r", 0.5)),
        ("|r| > .3", ("r", 0.3)),
        ("z>3.1", ("z", 3.1)),
        ("z >= 3", ("z", 3.0)),
        ("q<0.05", ("q", 0.05)),
        ("q < 1e-3", ("q", 0.001)),
    ],
)
def test_thresholds_are_read_as_they_are_typed(text, wanted):
    assert parse_threshold(text) == Threshold(*wanted)
    assert parse_threshold(str(parse_threshold(text))) == parse_threshold(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r",
        "r<0.5",
        "q>0.05",
        "p<0.05",
        "r>-0.5",
        "r>1",
        "2",
        "q<0",
        "q<1.5",
        "z>x",
        "z>1.2.3",
        "nan",
    ],
)
def test_thresholds_that_make_no_sense_are_refused(text):
    with pytest.raises(OptionError, match=r"r>0\.5"):
        parse_threshold(text)


def test_nan_never_counts():
    values = np.array([np.nan, 0.01, -4.0, 4.0])
    assert parse_threshold("q<0.05").passed(values[:2]).tolist() == [False, True]
    assert parse_threshold("z>3").passed(values).tolist() == [False, False, True, True]
    assert parse_threshold("z>3").words == "|z| > 3"
    assert parse_threshold("q<0.05").words == "q < 0.05"


def test_known_clusters_are_found(grid, volume):
    r = volume[grid.mask]
    found = find_clusters(grid, np.abs(r) > 0.5, r)
    assert [one.voxels for one in found] == [3, 3, 1, 1]
    (below, above) = (one for one in found if one.voxels == 3)
    assert (below.r, above.r) == (-0.95, 0.9)
    np.testing.assert_allclose(
        (above.x, above.y, above.z_mm), AFFINE[:3, :3] @ (3, 2, 2) + AFFINE[:3, 3]
    )
    assert above.mm3 == 3 * 36
    assert np.isnan(above.z)
    assert [abs(one.r) for one in found[2:]] == [0.8, 0.6]


def test_further_peaks_are_maxima_at_a_distance_as_in_nilearns_table(grid):
    from nilearn.reporting import get_clusters_table

    r = np.zeros(SHAPE)
    r[1:8, 3, 3] = (0.8, 0.6, 0.55, 0.9, 0.6, 0.85, 0.7)  # 3 mm apart: 0.85 is 6 mm from 0.9
    r[3, 3:7, 3] = (0.55, 0.6, 0.6, 0.75)
    (found,) = find_clusters(grid, np.abs(r[grid.mask]) > 0.5, r[grid.mask])
    assert (found.r, [one.r for one in found.more]) == (0.9, [0.8, 0.75])
    assert found.voxels == 10
    table = get_clusters_table(nib.Nifti1Image(r, AFFINE), 0.5)
    theirs = table[["X", "Y", "Z", "Peak Stat"]].to_numpy(dtype=float)
    ours = [(one.x, one.y, one.z_mm, one.r) for one in (found, *found.more)]
    np.testing.assert_allclose(ours, theirs)
    rows = [line.split("\t")[:8] for line in clusters_table([found]).splitlines()]
    assert [row[0] for row in rows] == ["cluster", "1", "1a", "1b"]
    assert [row[7] for row in rows[1:]] == ["10", "n/a", "n/a"]


def test_names_without_an_atlas_are_those_of_the_nearest_point_in_mni_space(grid):
    names = names_in(grid, "sub-01_space-MNI152NLin2009cAsym_bold.nii.gz", (0, 0), None)
    assert names.name_at((6, 64, 3)) == "near vmPFC, default mode network"
    assert names.name_at((-11, -58, 17)) == "near posterior cingulate, default mode network"
    assert names.name_at((0, 0, 200)) == ""
    assert names_in(grid, "sub-01_space-T1w_bold.nii.gz", (4, 4), None) is None
    assert names_in(grid, "bold.nii.gz", (4, 0), None) is names
    atlas = Atlas(np.zeros(SHAPE, dtype=np.int64))
    assert names_in(grid, "bold.nii.gz", (4, 0), atlas) is atlas


def test_points_are_read_as_nilearn_reads_them(monkeypatch):
    known = landmarks()
    assert known.places.shape == (160, 3)
    monkeypatch.setattr("seedmap.spatial.named_points.TABLE", "elsewhere.csv")
    loaded = landmarks.__wrapped__()
    order, other = np.lexsort(known.places.T), np.lexsort(loaded.places.T)
    np.testing.assert_array_equal(known.places[order], loaded.places[other])
    assert [known.names[at] for at in order] == [loaded.names[at] for at in other]


def test_peaks_are_those_of_z_where_it_is_known(grid, volume):
    r = volume[grid.mask]
    z = 5 * r
    z[r == 0.7] = 6.0
    q = np.where(r == 0.7, 0.001, 0.04)
    (first, *_) = (
        one for one in find_clusters(grid, np.abs(r) > 0.5, r, {"z": z, "q": q}) if one.r > 0
    )
    assert (first.r, first.z, first.q) == (0.7, 6.0, 0.001)


def test_arrays_are_not_changed_and_nan_is_no_cluster(grid, volume):
    volume[2, 2, 2] = np.nan
    r = volume[grid.mask]
    counts = np.abs(r) > 0.5
    for array in (r, counts):
        array.setflags(write=False)
    assert sorted(one.voxels for one in find_clusters(grid, counts, r)) == [1, 1, 2, 3]
    assert find_clusters(grid, np.zeros_like(counts), r) == ()


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 1.5))
def test_every_voxel_that_counts_is_in_one_cluster(seed, threshold):
    rng = np.random.default_rng(seed)
    grid = Grid(AFFINE, rng.random(SHAPE) < 0.8)
    r = rng.standard_normal(grid.n_samples)
    counts = np.abs(r) > threshold
    found = find_clusters(grid, counts, r)
    assert sum(one.voxels for one in found) == counts.sum()
    expected = sum(ndimage.label(grid.unmask(counts & (s * r > 0)))[1] for s in (1, -1))
    assert len(found) == expected
    assert [one.voxels for one in found] == sorted((one.voxels for one in found), reverse=True)


def test_regions_are_named(grid, volume):
    labels = np.zeros(SHAPE, dtype=np.int64)
    labels[:4, 2, 2], labels[4, 2, 2] = 7, 9
    r = volume[grid.mask]
    atlas = Atlas(labels, {7: "left here"})
    found = [one for one in find_clusters(grid, np.abs(r) > 0.5, r, names=atlas) if one.r == 0.9]
    assert (found[0].region, found[0].regions) == ("left here", "left here 67%; 9 33%")
    (other, *_) = (one for one in find_clusters(grid, r < -0.5, r, names=atlas))
    assert (other.region, other.regions) == ("", "")


def test_an_atlas_comes_onto_the_grid_with_its_names(grid, tmp_path):
    fine = np.zeros((32, 28, 24), dtype=np.int16)
    fine[:, :, 12:] = 3
    affine = AFFINE.copy()
    affine[:3, :3] /= 4
    nib.save(nib.Nifti1Image(fine, affine), tmp_path / "atlas.nii.gz")
    assert open_atlas(tmp_path / "atlas.nii.gz", grid).name(3) == "3"
    (tmp_path / "atlas.tsv").write_text("index\tname\tcolour\n3\tupper half\tred\n")
    atlas = open_atlas(tmp_path / "atlas.nii.gz", grid)
    assert atlas.name(3) == "upper half"
    assert atlas.name(0) == ""
    assert np.array_equal(np.unique(atlas.labels[:, :, 3:]), [3])
    assert not atlas.labels[:, :, :2].any()


def test_atlases_that_cannot_be_used_are_refused(grid, tmp_path):
    half = nib.Nifti1Image(np.full(SHAPE, 0.5, np.float32), AFFINE)
    with pytest.raises(ImageError, match="whole numbers"):
        open_atlas(half, grid)
    away = AFFINE.copy()
    away[:3, 3] += 500
    with pytest.raises(SpaceMismatch, match="no region"):
        open_atlas(nib.Nifti1Image(np.ones(SHAPE, np.uint8), away), grid)
    path = tmp_path / "names.tsv"
    path.write_text("number\tname\n1\tx\n")
    with pytest.raises(ImageError, match="columns index"):
        open_atlas(nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE), grid, path)


def test_table_has_a_line_a_cluster(grid, volume):
    r = volume[grid.mask]
    found = find_clusters(grid, np.abs(r) > 0.5, r)
    lines = clusters_table(found).splitlines()
    head = lines[0].split("\t")
    assert head[:5] == ["cluster", "x_mm", "y_mm", "z_mm", "r"]
    assert len(lines) == 1 + len(found)
    assert all(len(line.split("\t")) == len(head) for line in lines)
    row = dict(zip(head, lines[1].split("\t"), strict=True))
    assert (row["r"], row["z"], row["voxels"], row["size_mm3"]) == ("-0.95", "n/a", "3", "108")


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2", "@SUM(A1)", "a\tb\nc"])
def test_no_name_of_a_region_is_a_formula(grid, volume, name):
    r = volume[grid.mask]
    labels = np.full(SHAPE, 3)
    found = find_clusters(grid, np.abs(r) > 0.5, r, names=Atlas(labels, {3: name}, grid=grid))
    head, *lines = (line.split("\t") for line in clusters_table(found).splitlines())
    assert len(lines) == len(found)
    for line in lines:
        row = dict(zip(head, line, strict=True))
        assert row["region"] == ("a b c" if name.startswith("a") else f"'{name}")
        assert not row["regions"].startswith(tuple("=+-@"))
        assert float(row["x_mm"]) < 0 or row["x_mm"][0].isdigit()  # numbers stay numbers


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=12, n_frames=150)


@pytest.fixture(scope="module")
def maps(phantom):
    return sm.seed_maps(phantom.func[0], "PCC=0,-52,18", confounds=phantom.confounds[0])


def test_the_seeds_own_neighbourhood_is_left_out(maps):
    beyond = maps.passed("PCC", "r>0.3")
    inside = np.zeros(beyond.size, dtype=bool)
    inside[maps.near[0]] = True
    assert (beyond & inside).any()
    away, all_of_it = maps.found_clusters("PCC", 0.3), maps.found_clusters("PCC", 0.3, near=True)
    assert sum(one.voxels for one in away) == (beyond & ~inside).sum()
    assert sum(one.voxels for one in all_of_it) == beyond.sum()
    assert max(abs(one.r) for one in away) < max(abs(one.r) for one in all_of_it)


def test_clusters_of_q_and_z_agree_with_the_maps(maps):
    for threshold in ("q<0.1", "z>2.5"):
        for one in maps.found_clusters("PCC", threshold):
            assert one.q < 0.1 or threshold[0] == "z"
            assert abs(one.z) > 2.5 or threshold[0] == "q"
            assert np.sign(one.z) == np.sign(one.r)


def test_small_clusters_are_left_out_if_wished(maps, tmp_path):
    everything = maps.clusters("PCC", 0.2)
    assert (everything.voxels < 3).any()
    large = maps.clusters("PCC", 0.2, min_cluster=3)
    assert large.voxels.dropna().tolist() == [n for n in everything.voxels.dropna() if n >= 3]
    assert large.region.str.startswith("near ").any()
    table, about = maps.save_clusters(tmp_path, 0.2, min_cluster=3)
    cells = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    assert [row[0] for row in cells] == large.cluster.tolist()
    assert [row[9] for row in cells] == large.region.replace("", "n/a").tolist()
    facts = json.loads(about.read_text())
    assert facts["SmallestCluster"] == 3
    assert "10.1126/science.1194144" in facts["Atlas"]


def test_a_run_writes_clusters_and_draws_z(phantom, tmp_path, capsys):
    arguments = ["run", str(phantom.func[0]), "--seed", "PCC=0,-52,18", "--threshold", "z>2.5"]
    arguments += ["--confounds", str(phantom.confounds[0]), "--out", str(tmp_path / "out")]
    arguments += ["--atlas", str(phantom.folder / "planted_dseg.nii.gz")]
    assert main(arguments) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "clusters with |z| > 2.5, away from the seed" in printed
    (table,) = (tmp_path / "out").glob("*_seed-PCC_clusters.tsv")
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert {"LIPL", "mPFC", "RIPL"} & {row[-2] for row in rows[1:]}
    about = json.loads(table.with_suffix(".json").read_text())
    assert about["Threshold"] == "z>2.5"
    assert about["Atlas"].endswith("planted_dseg.nii.gz")
    drawn = {path.name.split("seed-PCC_")[-1] for path in (tmp_path / "out/figures").glob("*.png")}
    assert {"stat-r_statmap.png", "stat-z_statmap.png"} < drawn
    (page,) = (tmp_path / "out").glob("*_report.html")
    text = page.read_text()
    assert "voxels" in text
    assert "|z| &gt; 2.5" in text
    assert 'id="clusters"' in text


@pytest.mark.parametrize(
    "options", [("--uncertainty", "none"), ("--measure", "lagged")], ids=["no z", "lagged"]
)
def test_thresholds_of_maps_that_there_will_not_be_are_refused(phantom, tmp_path, capsys, options):
    out = tmp_path / "out"
    arguments = ["run", str(phantom.func[0]), "--seed", "PCC=0,-52,18", "--threshold", "q<0.05"]
    assert main([*arguments, *options, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--threshold q<0.05" in error
    assert " ".join(options) in error
    assert not out.exists()
