"""Runs of grayordinates: from ``dtseries`` to ``dscalar``, the same as Connectome Workbench has."""

import struct
import subprocess
import threading

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.errors import ImageError, OptionError, SeedError
from seedmap.images import Grayordinates, open_run
from seedmap.images.cifti import FRAMES_TOGETHER, cifti_frames

UNTOUCHED = sm.Cleaning(detrend=False, filter=None, standardize_confounds=False)


@pytest.fixture(scope="module")
def plain(dense):
    """One vertex as seed, nothing cleaned or smoothed."""
    seeds = [sm.VertexPatch("V", "left", first_vertex(dense, 1234), radius=0), "T=11,-19,8:4"]
    return sm.seed_maps(
        dense.func[0], seeds, cleaning=UNTOUCHED, smoothing_fwhm=None, uncertainty=None
    )


def first_vertex(dense, place):
    return int(nib.load(dense.func[0]).header.get_axis(1).vertex[place])


def test_a_run_of_grayordinates_is_what_it_says(dense):
    run = open_run(dense.func[0])

    assert isinstance(run.space, Grayordinates)
    assert run.space.n_samples == 91_282
    assert (run.frames, run.timing.t_r) == (300, 0.72)
    sizes = {part.name: part.size for part in run.space.parts}
    assert (sizes["left"], sizes["right"], len(sizes)) == (29_696, 29_716, 21)
    assert run.space.part("left").vertices == 32_492


def test_frames_are_those_of_nibabel(dense):
    image = nib.load(dense.func[0])
    wanted = np.zeros(300, dtype=bool)
    wanted[[0, 15, 16, 255, 299]] = True
    with open_run(dense.func[0]).stream(wanted) as stream:
        for index in np.flatnonzero(wanted):
            frame = stream.take()
            assert frame.index == index
            np.testing.assert_array_equal(frame.values, np.asarray(image.dataobj[index]))
        assert stream.take() is None


def test_any_number_of_threads_may_fetch_frames(dense):
    image = nib.load(dense.func[0])
    values = np.asanyarray(image.dataobj)
    load = cifti_frames(values)
    wrong = []

    def fetch(first):
        frames = range(first, 4 * FRAMES_TOGETHER, 3)
        wrong.extend(
            index for index in frames if not np.array_equal(load(index)[::97], values[index, ::97])
        )

    threads = [threading.Thread(target=fetch, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_run_goes_through_from_end_to_end(dense, tmp_path):
    maps = sm.seed_maps(
        dense.func[0],
        [sm.Region("PCC", dense.atlas, "PCC"), sm.Sphere("RCer", (20, -56, -26), 6)],
        confounds=dense.confounds[0],
        surfaces=dense.surfaces,
        smoothing_fwhm=4,
    )
    names = [region.name for region in dense.regions]
    for target, planted in (("PCC", 1.0), ("mPFC", 0.8), ("LIPL", 0.75), ("LMotor", 0.0)):
        inside = dense.labels == names.index(target) + 1
        assert np.median(maps.values("PCC")[inside]) == pytest.approx(planted, abs=0.1)
    left = maps.space.slices["left"]
    motor = np.flatnonzero(dense.labels[left] == names.index("LMotor") + 1)
    assert np.median(maps.values("RCer")[left][motor]) > 0.8  # across surface and volume
    assert maps.provenance.seeds[1].definition.endswith("away)")
    assert "voxel of CEREBELLUM_RIGHT" in maps.provenance.seeds[1].definition
    clusters = maps.found_clusters("PCC", 0.5)
    assert {one.part for one in clusters} >= {"left", "right"}

    paths = maps.save(tmp_path)

    assert paths[0].name == (
        "sub-01_task-rest_space-fsLR_den-91k_seed-PCC_stat-r_statmap.dscalar.nii"
    )
    image = nib.load(paths[0])
    np.testing.assert_array_equal(np.asarray(image.dataobj)[0], maps.values("PCC"))
    axis = nib.load(dense.func[0]).header.get_axis(1)
    assert image.header.get_axis(1) == axis
    assert image.nifti_header.get_intent()[0] == "ConnDenseScalar"


def test_workbench_opens_what_was_written(plain, tmp_path, wb_command):
    path = plain.save(tmp_path)[0]
    printed = subprocess.run(
        [wb_command, "-file-information", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "CIFTI - Dense Scalar" in printed
    assert "Number of Rows:" in printed
    assert "91282" in printed


def test_maps_are_those_of_workbench(dense, plain, tmp_path, wb_command):
    axis = nib.load(dense.func[0]).header.get_axis(1)
    roi = np.zeros((1, len(axis)), dtype=np.float32)
    roi[0, 1234] = 1
    header = nib.cifti2.Cifti2Header.from_axes((nib.cifti2.ScalarAxis(["roi"]), axis))
    image = nib.Cifti2Image(roi, header)
    image.nifti_header.set_intent("ConnDenseScalar")
    nib.save(image, tmp_path / "roi.dscalar.nii")
    row = tmp_path / "row.dconn.nii"
    subprocess.run(
        [
            wb_command,
            "-cifti-correlation",
            str(dense.func[0]),
            str(row),
            "-roi-override",
            "-cifti-roi",
            str(tmp_path / "roi.dscalar.nii"),
        ],
        check=True,
        capture_output=True,
    )
    theirs = np.asarray(nib.load(row).dataobj).ravel()
    assert theirs.shape == (91_282,)
    np.testing.assert_allclose(plain.values("V"), theirs, atol=1e-5)


def test_parcels_go_in_and_out(dense, tmp_path):
    axis = nib.load(dense.func[0]).header.get_axis(1)
    values = np.asarray(nib.load(dense.func[0]).dataobj)
    models = [(r.name, axis[dense.labels == k]) for k, r in enumerate(dense.regions, 1)]
    parcels = nib.cifti2.ParcelsAxis.from_brain_models(models)
    means = np.stack(
        [values[:, dense.labels == k].mean(axis=1) for k in range(1, len(models) + 1)], axis=1
    )
    time = nib.cifti2.SeriesAxis(0, 0.72, 300)
    image = nib.Cifti2Image(means, nib.cifti2.Cifti2Header.from_axes((time, parcels)))
    image.nifti_header.set_intent("ConnParcelSries")
    path = tmp_path / "run.ptseries.nii"
    nib.save(image, path)
    seed = sm.SeriesSeed("PCC", means[:, 0])

    maps = sm.seed_maps(path, seed, smoothing_fwhm=None, cleaning=UNTOUCHED)

    np.testing.assert_allclose(maps.r[0], np.corrcoef(means.T)[0], atol=1e-5)
    written = maps.save(tmp_path)[0]
    assert written.name.endswith(".pscalar.nii")
    back = nib.load(written)
    assert back.header.get_axis(1) == parcels
    np.testing.assert_array_equal(np.asarray(back.dataobj)[0], maps.r[0])
    with pytest.raises(OptionError, match="parcels have no neighbours"):
        sm.seed_maps(path, seed)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "slope", "inter"), [("i2", 2.0, 5.0), ("f4", 1.0, 0.0), ("f8", 0, 0)]
)
def test_values_may_be_stored_in_any_way(order, kind, slope, inter, tmp_path):
    values = np.arange(21).reshape(3, 7)
    axis = nib.cifti2.BrainModelAxis.from_surface(np.arange(7), 10, "CortexLeft")
    axes = (nib.cifti2.SeriesAxis(0, 0.72, 3), axis)
    xml = nib.cifti2.Cifti2Header.from_axes(axes).to_xml()
    xml += b"\0" * (-(len(xml) + 8) % 16)
    header = nib.Nifti2Header(endianness=order)
    header.set_data_dtype(np.dtype(order + kind))
    header.set_data_shape((1, 1, 1, 1, 3, 7))
    header["vox_offset"] = 544 + 8 + len(xml)
    header["scl_slope"], header["scl_inter"] = slope, inter
    extension = struct.pack(f"{order}ii", len(xml) + 8, 32) + xml
    data = values.astype(order + kind).tobytes("F")
    path = tmp_path / "run.dtseries.nii"
    path.write_bytes(header.binaryblock + b"\1\0\0\0" + extension + data)

    with open_run(path).stream() as stream:
        found = [stream.take().values for _ in values]

    np.testing.assert_array_equal(found, values * (slope or 1) + inter)
    np.testing.assert_array_equal(found, np.asarray(nib.load(path).dataobj).reshape(3, 7))


@pytest.mark.parametrize("kind", ["dscalar", "dlabel"])
def test_another_kind_of_cifti_is_refused(dense, plain, tmp_path, kind):
    path = dense.atlas if kind == "dlabel" else plain.save(tmp_path)[0]
    with pytest.raises(
        ImageError, match=r"a CIFTI file of (scalars|labels) x brain_models; a time"
    ):
        open_run(path)


def test_what_has_no_place_is_refused(dense):
    with pytest.raises(SeedError, match=r"'X': the nearest vertex or voxel is .* mm from"):
        sm.seed_maps(dense.func[0], "X=90,90,90", surfaces=dense.surfaces, smoothing_fwhm=None)
    image = nib.load(dense.func[0])
    wall = np.setdiff1d(np.arange(32_492), image.header.get_axis(1).vertex[:29_696])[0]
    with pytest.raises(SeedError, match="lies in the medial wall"):
        sm.seed_maps(dense.func[0], f"X=lh:vertex:{wall}:0", smoothing_fwhm=None)
    with pytest.raises(SeedError, match="no region 'Nose'"):
        sm.seed_maps(dense.func[0], sm.Region("X", dense.atlas, "Nose"), smoothing_fwhm=None)


def test_surfaces_that_do_not_fit_are_refused(dense, cortex):
    with pytest.raises(sm.errors.SpaceMismatch, match=r"10242 vertices for the left part.*32492"):
        open_run(dense.func[0], surfaces=cortex.surfaces)


def test_a_damaged_file_is_refused(dense, tmp_path):
    whole = dense.func[0].read_bytes()
    path = tmp_path / "run.dtseries.nii"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(sm.errors.TruncatedImage, match="damaged or incomplete: copy it again"):
        open_run(path)
    path.write_bytes(whole[:2000])
    with pytest.raises(ImageError, match=r"run.dtseries.nii: "):
        open_run(path)
    path.write_bytes(b"no image")
    with pytest.raises(ImageError, match="not a CIFTI-2 file that can be read"):
        open_run(path)


def test_an_image_in_memory_is_the_same_as_its_file(dense):
    file, memory = open_run(dense.func[0]), open_run(nib.load(dense.func[0]))
    assert file.timing.t_r == memory.timing.t_r or memory.timing.t_r == 0.72
    for one, other in zip(file.space.parts, memory.space.parts, strict=True):
        assert (one.name, one.kind, one.vertices) == (other.name, other.kind, other.vertices)
        np.testing.assert_array_equal(one.places, other.places)
    np.testing.assert_array_equal(file.space.parts[-1].affine, memory.space.parts[-1].affine)


@pytest.mark.full
def test_family_wise_error_of_grayordinates(dense):
    """One family holds vertices and voxels: a planted region is found, a seed of noise finds nothing."""
    frames = nib.load(dense.func[0]).shape[0]
    seeds = [
        "PCC=-5,-52,24",
        sm.SeriesSeed("noise", np.random.default_rng(5).standard_normal(frames)),
    ]
    maps = sm.seed_maps(
        dense.func[0], seeds, surfaces=dense.surfaces, smoothing_fwhm=None, strategy="none", fwe=100
    )
    assert (maps.values("PCC", "pfwe") < 0.05).sum() > 100
    assert not (maps.values("noise", "pfwe") < 0.05).any()
    assert maps.found_clusters("PCC", "z>3.29")[0].p_cluster < 0.05
