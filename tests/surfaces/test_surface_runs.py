"""Runs on the cortical surface: the planted answer, nilearn's numbers, and what is refused."""

import base64
import json
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import load_fsaverage
from nilearn.maskers import SurfaceMasker
from nilearn.surface import SurfaceImage
from scipy.signal import detrend

import seedmap as sm
from seedmap.cli import main
from seedmap.errors import ImageError, MissingFile, OptionError, SeedError, SpaceMismatch
from seedmap.explorer.engine.gathering import gather
from seedmap.images import Mesh, open_run
from seedmap.images.gifti import load_surface_series
from seedmap.spatial import Reading, extract, open_atlas

ONE_SIDE = "ignore:.*only the (left|right) hemisphere is analysed"


@pytest.fixture(scope="module")
def maps(cortex):
    seeds = [sm.Region("PCC", cortex.atlas, "PCC"), "RIPL=46,-68,32"]
    return sm.seed_maps(cortex.func[0], seeds, confounds=cortex.confounds[0], smoothing_fwhm=4)


@pytest.fixture
def real(data_folder):
    stem = data_folder / "surface" / "sub-02_task-rest"
    bold = {
        side: f"{stem}_hemi-{side[0].upper()}_space-fsaverage5_bold.func.gii"
        for side in ("left", "right")
    }
    return bold, f"{stem}_desc-confounds_timeseries.tsv"


@pytest.mark.parametrize("encoding", ["GIFTI_ENCODING_B64GZ", "B64BIN", "ASCII"])
@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_a_gifti_file_may_be_stored_in_any_way(encoding, kind, tmp_path):
    values = np.random.default_rng(0).integers(-99, 99, (7, 30)).astype(kind)
    arrays = [
        nib.gifti.GiftiDataArray(row, encoding=encoding, datatype=f"NIFTI_TYPE_{kind.upper()}")
        for row in values
    ]
    path = tmp_path / "hemi-L_bold.func.gii"
    nib.save(nib.gifti.GiftiImage(darrays=arrays), path)

    series, source = load_surface_series(path, "left")

    np.testing.assert_array_equal(series, values)
    assert series.dtype == np.float32
    assert source == str(path)


@pytest.mark.parametrize("order", ["RowMajorOrder", "ColumnMajorOrder"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_one_array_may_hold_all_frames(order, endian, tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)  # vertices by frames
    stored = values.astype("<f4" if endian == "little" else ">f4")
    text = base64.b64encode(stored.tobytes("F" if order.startswith("Column") else "C")).decode()
    path = tmp_path / "lh.func.gii"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><GIFTI Version="1.0" NumberOfDataArrays="1">'
        f'<DataArray Intent="NIFTI_INTENT_NONE" DataType="NIFTI_TYPE_FLOAT32" '
        f'ArrayIndexingOrder="{order}" Dimensionality="2" Dim0="4" Dim1="3" '
        f'Encoding="Base64Binary" Endian="{endian.title()}Endian" ExternalFileName="" '
        f'ExternalFileOffset=""><Data>{text}</Data></DataArray></GIFTI>'
    )

    series, _ = load_surface_series(path, "left")

    np.testing.assert_array_equal(series, values.T)


def median_in(maps, seed, cortex, target):
    names = [region.name for region in cortex.regions]
    inside = (cortex.labels == names.index(target) + 1) & maps.space.mask
    return np.median(maps.space.unmask(maps.values(seed))[inside])


@pytest.mark.parametrize(
    ("frames", "vertices"), [(50, 642), (1200, 642), (120, 10242), (300, 5000), (642, 10242)]
)
@pytest.mark.parametrize("frames_first", [True, False])
def test_one_array_may_hold_frames_first_or_last(frames, vertices, frames_first, tmp_path):
    values = np.arange(frames * vertices, dtype=np.float32).reshape(frames, vertices)
    array = nib.gifti.GiftiDataArray(
        values if frames_first else values.T.copy(),
        intent="NIFTI_INTENT_TIME_SERIES",
        datatype="NIFTI_TYPE_FLOAT32",
    )
    path = tmp_path / "lh.func.gii"
    nib.save(nib.gifti.GiftiImage(darrays=[array]), path)
    found, _ = load_surface_series(path, "left")
    np.testing.assert_array_equal(found, values)


def test_what_was_planted_is_found(cortex, maps):
    for target, planted in (("mPFC", 0.8), ("LIPL", 0.75), ("LMotor", 0.0), ("LIPS", -0.4)):
        assert median_in(maps, "PCC", cortex, target) == pytest.approx(planted, abs=0.12)
    assert median_in(maps, "RIPL", cortex, "PCC") == pytest.approx(0.7, abs=0.12)


def test_the_medial_wall_is_left_out(cortex, maps):
    assert isinstance(maps.space, Mesh)
    zeros = np.concatenate(
        [nib.load(path).darrays[0].data == 0 for path in cortex.func[0].values()]
    )
    assert 100 < zeros.sum() < 2000
    np.testing.assert_array_equal(maps.space.mask, ~zeros)


def test_a_snapped_seed_states_its_distance(maps):
    definition = maps.provenance.seeds[1].definition
    assert definition.startswith("sphere of 8 mm radius at (46, -68, 32) mm (snapped to vertex ")
    assert "of the right surface, 0." in definition


def test_files_are_written_by_hemisphere(maps, tmp_path):
    paths = maps.save(tmp_path)
    names = [path.name for path in paths[:3]]
    stem = "sub-01_task-rest"
    end = "space-fsaverage5_seed-PCC_stat-r_statmap"
    assert names == [
        f"{stem}_hemi-L_{end}.func.gii",
        f"{stem}_hemi-R_{end}.func.gii",
        f"{stem}_{end}.json",
    ]
    whole = maps.space.unmask(maps.values("PCC"))
    for path, side in zip(paths, ("Left", "Right"), strict=False):
        image = nib.load(path)
        assert image.meta["AnatomicalStructurePrimary"] == f"Cortex{side}"
        span = maps.space.slices[side.lower()]
        np.testing.assert_array_equal(image.darrays[0].data, whole[span])
    sources = json.loads(paths[2].read_text())["Sources"]
    assert [("hemi-L" in one, "hemi-R" in one) for one in sources[:2]] == [
        (True, False),
        (False, True),
    ]


def test_nilearns_surface_image_goes_in_and_comes_out(cortex, maps):
    given = SurfaceImage(mesh=load_fsaverage("fsaverage5")["pial"], data=cortex.func[0])
    seeds = sm.Region("PCC", cortex.atlas, "PCC")
    again = sm.seed_maps(given, seeds, confounds=cortex.confounds[0], smoothing_fwhm=None, t_r=2.0)
    files = sm.seed_maps(cortex.func[0], seeds, confounds=cortex.confounds[0], smoothing_fwhm=None)
    np.testing.assert_array_equal(again.r, files.r)

    image = maps.to_img("PCC")

    assert isinstance(image, SurfaceImage)
    whole = np.concatenate([image.data.parts["left"], image.data.parts["right"]])
    np.testing.assert_array_equal(whole, maps.space.unmask(maps.values("PCC")))


def test_clusters_lie_where_regions_were_planted(cortex, maps):
    found = maps.found_clusters("PCC", 0.4, atlas=open_atlas(cortex.atlas, maps.space))
    assert {"mPFC", "LIPL", "RIPL"} <= {one.region for one in found}
    largest = found[0]
    assert largest.part in ("left", "right")
    assert 100 < largest.mm2 < 2000
    assert np.isnan(largest.mm3)
    table = sm.clusters.clusters_table(found).splitlines()
    assert table[0].endswith("part\tsize_mm2")
    assert len({line.count("\t") for line in table}) == 1


def test_neighbourhoods_stay_on_their_side(maps):
    """The seed RIPL is on the right; so is all that is near it."""
    right = maps.space.mask[maps.space.slices["left"]].sum()
    assert (maps.near[1] >= right).all()
    assert len(maps.near[1]) > maps.provenance.seeds[1].voxels


def test_seeds_by_annot_and_label_files_are_the_same(cortex, tmp_path):
    left = nib.load(cortex.atlas["left"]).darrays[0].data
    names = ["???", *(region.name for region in cortex.regions)]
    colours = np.array([[k, k, k, 0, k * (1 + 256 + 65536)] for k in range(len(names))])
    path = tmp_path / "lh.planted.annot"
    nib.freesurfer.write_annot(path, left, colours, names, fill_ctab=False)
    bold = cortex.func[0]
    options = {"smoothing_fwhm": None, "uncertainty": None}

    by_annot = sm.seed_maps(bold, f"A={path}#LIPL", **options)
    by_label = sm.seed_maps(bold, f"A={cortex.atlas['left']}#LIPL", **options)
    by_number = sm.seed_maps(bold, f"A={cortex.atlas['left']}#3", **options)

    np.testing.assert_array_equal(by_annot.r, by_label.r)
    np.testing.assert_array_equal(by_number.r, by_label.r)


def test_freesurfer_files_are_the_same_as_gifti(cortex, tmp_path):
    paths = {}
    for side, path in cortex.func[0].items():
        series = np.stack([array.data for array in nib.load(path).darrays], axis=1)
        paths[side] = tmp_path / f"{side[0]}h.run.mgz"
        nib.save(nib.MGHImage(series[:, None, None], np.eye(4)), paths[side])
    options = {"smoothing_fwhm": None, "uncertainty": None, "t_r": 2.0}

    a = sm.seed_maps(paths, "V=rh:vertex:500:0", **options)
    b = sm.seed_maps(cortex.func[0], "V=rh:vertex:500:0", **options)

    np.testing.assert_array_equal(a.r, b.r)


@pytest.mark.filterwarnings(ONE_SIDE)
def test_one_hemisphere_is_enough_and_is_said(cortex):
    both = sm.seed_maps(cortex.func[0], "V=rh:vertex:500:0", smoothing_fwhm=None, uncertainty=None)
    with pytest.warns(sm.errors.SeedmapWarning, match="only the right hemisphere is analysed"):
        one = sm.seed_maps(
            cortex.func[0]["right"], "V=rh:vertex:500:0", smoothing_fwhm=None, uncertainty=None
        )
    np.testing.assert_allclose(one.r, both.r[:, -one.space.n_samples :], atol=1e-6)
    with pytest.raises(SeedError, match="made of right; give a seed that it has"):
        sm.seed_maps(cortex.func[0]["right"], "V=lh:vertex:500")


def test_figures_show_both_hemispheres(cortex, maps, tmp_path):
    figure = maps.plot("PCC", 0.5)
    words = [text.get_text() for text in figure.texts]
    assert words[:4] == ["left, lateral", "left, medial", "right, medial", "right, lateral"]
    assert words[4] == "PCC: r (|r| > 0.5)"
    assert len(figure.axes) == 5  # four views and a colour bar
    pages = [path for path in sm.report.write_report(maps, tmp_path) if path.suffix == ".html"]
    page = pages[0].read_text()
    assert "The cortex from outside and from the middle" in page
    assert "vertices" in page
    assert "voxel" not in page.split("Origin")[0].replace("Subcortical voxels", "")


def test_the_command_line_takes_two_hemispheres(cortex, tmp_path, capsys):
    left, right = (str(cortex.func[0][side]) for side in ("left", "right"))
    out = tmp_path / "out"
    seeds = ["--seed", "PCC=lh:vertex:2393", "--seed", "IPL=-46,-68,32"]
    options = ["--smoothing-fwhm", "none", "--no-figures", "--uncertainty", "none"]

    code = main(["run", "--left", left, "--right", right, *seeds, *options, "--out", str(out)])

    assert code == 0
    printed = capsys.readouterr().out
    assert "around vertex 2393 of the left surface" in printed
    assert "snapped to vertex" in printed
    assert len(list(out.glob("*_hemi-R_*stat-r_statmap.func.gii"))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no run is given"),
        (["--left", "{right}"], "given as the left hemisphere, but"),
        (["{left}", "--right", "{right}"], "give the one or the other"),
        (["--left", "nowhere.func.gii"], "nowhere.func.gii: this left hemisphere is not there"),
        (["--left", "{mesh}"], "holds a mesh, not a series"),
        (["--left", "{left}", "--surface-left", "{left}"], "holds no mesh; a surface (.surf.gii)"),
        (["--left", "{label}"], "1 map on the surface; a run has one a frame"),
    ],
)
def test_bad_input_ends_with_one_line(cortex, tmp_path, capsys, arguments, message):
    places = {**cortex.func[0], "mesh": cortex.surfaces["left"], "label": cortex.atlas["left"]}
    arguments = [one.format(**places) for one in arguments]
    out = tmp_path / "out"
    code = main(["run", *arguments, "--seed", "V=lh:vertex:5", "--out", str(out)])
    printed = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert len([line for line in printed if "note:" not in line]) == 1
    assert message in printed[-1]
    assert not out.exists()


def test_swapped_hemispheres_are_found_by_what_the_file_says(cortex, tmp_path):
    """The name says nothing; the metadata do."""
    paths = {side: tmp_path / f"{n}.func.gii" for n, side in enumerate(("left", "right"))}
    for side, path in cortex.func[0].items():
        shutil.copy(path, paths[side])
    with pytest.raises(ImageError, match=r"the file says CortexRight; are the two swapped\?"):
        open_run({"left": paths["right"], "right": paths["left"]})
    with pytest.raises(ImageError, match="its name does not state the hemisphere"):
        open_run(paths["left"])


def test_unequal_frames_are_refused(cortex):
    right = np.zeros((10_242, 20), dtype=np.float32)
    with pytest.raises(SpaceMismatch, match=r"different numbers of frames .*150.*20"):
        open_run({"left": cortex.func[0]["left"], "right": right})


def test_surfaces_of_another_mesh_are_refused(cortex, ball):
    with pytest.raises(
        SpaceMismatch, match=r"12252 vertices for the left part, whose data have 10242"
    ):
        open_run(cortex.func[0], surfaces={"left": ball})
    with pytest.raises(MissingFile, match="this surface is not there"):
        open_run(cortex.func[0], surfaces={"left": "nowhere.surf.gii"})
    with pytest.raises(OptionError, match="there is no part 'middle'"):
        open_run(cortex.func[0], surfaces={"middle": ball})


def test_labels_of_another_mesh_are_refused(cortex):
    atlas = {"left": np.zeros(163_842)}
    with pytest.raises(SpaceMismatch, match=r"\(163842,\) values for 10242 places"):
        sm.seed_maps(cortex.func[0], sm.Region("X", atlas, 1))
    with pytest.raises(SeedError, match="no region 'Nose'; near are"):
        sm.seed_maps(cortex.func[0], sm.Region("X", cortex.atlas, "Nose"))
    with pytest.raises(SeedError, match="vertex 10242 does not exist"):
        sm.seed_maps(cortex.func[0], "X=lh:vertex:10242")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_real_run_is_nilearns(real):
    """Of the 29 confounds seven are zero and one is a straight line.

    Detrending leaves rounding errors of the line, which nilearn then scales up and regresses out.
    """
    bold, table = real
    confounds = pd.read_csv(table, sep="\t")
    left = detrend(confounds.to_numpy(), axis=0)
    kept = confounds.loc[
        :, np.abs(left).max(axis=0) > 1e-6 * confounds.abs().max(axis=0).to_numpy()
    ]
    mesh = load_fsaverage("fsaverage5")["pial"]
    given = SurfaceImage(mesh=mesh, data=bold)
    masker = SurfaceMasker(
        detrend=True, standardize="zscore_sample", low_pass=0.1, high_pass=0.01, t_r=1.4
    )
    series = masker.fit(given).transform(given, confounds=kept.to_numpy())
    seed = series[:, 2393]
    theirs = series.T @ seed / (len(seed) - 1)

    maps = sm.seed_maps(bold, "PCC=lh:vertex:2393:0", confounds=kept, t_r=1.4, smoothing_fwhm=None)

    assert kept.shape[1] == 21
    assert maps.provenance.confound_rank == kept.shape[1]
    np.testing.assert_allclose(maps.r[0], theirs[maps.space.mask], atol=2e-5)


def test_the_real_run_shows_the_default_mode_network(real):
    bold, table = real
    seeds = [
        "PCC=-5,-52,24",
        "mPFC=-5,55,-3",
        "LIPL=-46,-68,32",
        "RIPL=46,-68,32",
        "IPS=-26,-60,56",
    ]

    maps = sm.seed_maps(bold, seeds, confounds=table, t_r=1.4, smoothing_fwhm=None)

    pcc = np.corrcoef(maps.seed_series.T)[0]
    assert maps.provenance.confounds
    assert len(maps.provenance.confounds) == 29
    assert pcc[1] == pytest.approx(0.55, abs=0.1)
    assert pcc[2] == pytest.approx(0.6, abs=0.1)
    assert pcc[3] == pytest.approx(0.6, abs=0.1)
    assert abs(pcc[4]) < 0.2


def test_rows_in_coordinates_are_gathered_from_surfaces_too(cortex):
    """What the explorer does with volumes knows no volumes."""
    run = open_run(cortex.func[0])
    keep = np.arange(run.frames) % 5 != 2
    columns = np.random.default_rng(0).standard_normal((int(keep.sum()), 6))
    columns[:, :2] -= columns[:, :2].mean(axis=0)  # what is kept beside knows no constant
    into = np.linalg.qr(columns)[0].T
    whole = extract(Reading(run, keep))
    reading = Reading(run, keep, None, n_jobs=2)
    brain, voxels, mean, rest = gather(
        reading, None, into[2:], lambda mask: (mask, False), into[:2]
    )
    wanted = into @ (whole.series + whole.reference)
    scale = np.abs(wanted).max()
    assert np.array_equal(brain.mask, whole.grid.mask)
    np.testing.assert_allclose(brain.rows, wanted[2:].T, atol=1e-5 * scale)
    np.testing.assert_allclose(rest, wanted[:2].T, atol=1e-5 * scale)
    one, _ = voxels.mean(np.array([70]))
    np.testing.assert_allclose(one, wanted[2:, 70], atol=1e-5 * scale)
    assert mean.shape == run.space.shape


def test_family_wise_error_on_the_cortex(cortex):
    """Planted regions are found, a seed of noise finds nothing, clusters do not cross the midline."""
    noise = sm.SeriesSeed("noise", np.random.default_rng(5).standard_normal(150))
    seeds = [sm.Region("PCC", cortex.atlas, "PCC"), noise]
    maps = sm.seed_maps(
        cortex.func[0], seeds, confounds=cortex.confounds[0], smoothing_fwhm=4, fwe=200
    )
    assert (maps.values("PCC", "pfwe") < 0.05).sum() > 100
    assert not (maps.values("noise", "pfwe") < 0.05).any()
    best = maps.found_clusters("PCC", "z>3.29")[0]
    assert best.p_cluster < 0.05
