"""Regions of an atlas as seeds: their maps, the command that makes the same, and what is sent of them."""

import gzip
import json
import shlex

import nibabel as nib
import numpy as np
import pytest

from seedmap import seed_maps
from seedmap.analysis import Inputs
from seedmap.cli import main
from seedmap.datasets import make_grayordinate_phantom, make_surface_phantom
from seedmap.errors import OptionError, SpaceMismatch
from seedmap.explorer import Explorer, ServerOptions, begin_session, by_hemisphere, open_source
from seedmap.explorer.command import Command
from seedmap.explorer.regions import open_regions
from seedmap.seeds import parse_seed

CLOSE = 1e-5


def begin(phantom, atlas, out, **options):
    """Begin to explore a run with an atlas."""
    given = {"confounds": phantom.confounds[0], **options}
    return begin_session(
        open_source(Inputs(phantom.func[0], **given)),
        out=out,
        atlas=atlas,
        command=Command.of_call(Inputs(phantom.func[0], **given)),
    )


def same_as_run(session, number, phantom, **options):
    """Compare the map of a region with that of the seed that the shown command has."""
    seed = session.regions.seed(number)
    live = session.cleaned.live
    words = shlex.split(session.command.line(session.source, session.cleaned.settings, seed))
    text = words[words.index("--seed") + 1]
    given = {"confounds": phantom.confounds[0], **options}
    maps = seed_maps(phantom.func[0], parse_seed(text), **given, uncertainty=None)
    signal = live.seed_signal(seed)
    np.testing.assert_allclose(live.r(signal.unit), maps.r[0], rtol=0, atol=CLOSE)
    return text


def test_a_region_of_a_finer_grid_is_the_seed_of_the_command(phantom, parcels, tmp_path):
    options = {"mask_img": phantom.masks[0]}
    session = begin(phantom, parcels, tmp_path, **options)
    for number in (1, 7, 12):
        text = same_as_run(session, number, phantom, **options)
        assert text == f"parcel {number}={parcels}#{10 * number}"
    session.close()


def test_hemispheres_are_atlases_of_their_own(tmp_path):
    phantom = make_surface_phantom(tmp_path, n_frames=60)
    session = begin(phantom, phantom.atlas, tmp_path / "out")
    names = [one.name for one in session.regions.named]
    assert names[:2] == ["left PCC", "left mPFC"]
    assert {"right PCC", "LMotor"} <= set(names)
    for name in ("right PCC", "LMotor"):
        text = same_as_run(session, 1 + names.index(name), phantom)
        assert text.startswith(f"{name}=")
        assert text.split("#")[0].endswith(".label.gii")
    position = int(np.flatnonzero(session.regions.labels == 1 + names.index("right PCC"))[0])
    assert position >= 10242
    assert session.regions.name_of(position) == "right PCC"
    session.close()
    files = tuple(phantom.atlas.values())
    assert by_hemisphere(files) == phantom.atlas
    assert by_hemisphere(files[:1]) == files[0]
    assert by_hemisphere(()) is None
    with pytest.raises(OptionError, match="one hemisphere"):
        by_hemisphere((files[0], files[0]))


@pytest.mark.slow
def test_a_region_of_grayordinates_may_lie_in_both_hemispheres(tmp_path):
    phantom = make_grayordinate_phantom(tmp_path, n_frames=60, t_r=2.0)
    options = {"surfaces": phantom.surfaces}
    session = begin(phantom, phantom.atlas, tmp_path / "out", **options)
    assert [one.name for one in session.regions.named][:2] == ["PCC", "mPFC"]
    same_as_run(session, 1, phantom, **options)
    session.close()


def test_an_atlas_that_does_not_fit_is_one_line(phantom, parcels, tmp_path):
    space = open_source(Inputs(phantom.func[0])).grid
    with pytest.raises(OptionError, match="the run is a volume; give one label image"):
        open_regions({"left": parcels, "right": parcels}, space)
    image = nib.load(parcels)
    far = image.affine.copy()
    far[:3, 3] += 900
    with pytest.raises(SpaceMismatch, match="no region of the atlas reaches the run"):
        open_regions(nib.Nifti1Image(np.asarray(image.dataobj), far), space)


def test_an_atlas_in_memory_has_no_command(phantom, parcels, tmp_path):
    image = nib.load(parcels)
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
    session = begin(phantom, image, tmp_path)
    assert session.regions.named[0].name == "region 10"
    assert session.command.line(
        session.source, session.cleaned.settings, session.regions.seed(1)
    ).startswith("#")
    session.close()


@pytest.fixture
def served(phantom, parcels, tmp_path):
    """Serve the phantom with an atlas."""
    options = {"confounds": phantom.confounds[0], "mask_img": phantom.masks[0]}
    session = begin_session(
        open_source(Inputs(phantom.func[0], **options)),
        out=tmp_path / "out",
        atlas=parcels,
        anatomy=phantom.masks[0],
        command=Command(
            str(phantom.func[0]),
            (str(phantom.confounds[0]),),
            ("--mask-img", str(phantom.masks[0])),
        ),
    )
    with Explorer(session, ServerOptions()).start() as running:
        yield running


def test_regions_over_http(served, client_of, tmp_path, capsys):
    """Labels, names and middles; a map, its command, its log; and what is saved is what the command makes."""
    client, session = client_of(served), served.session
    regions, grid = session.regions, session.grid
    answer, body = client.ask("/api/labels")
    assert "Content-Encoding" not in answer.headers
    assert np.array_equal(np.frombuffer(body, "<u2"), regions.labels)
    answer, packed = client.ask("/api/labels", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == body
    listed = json.loads(client.ask("/api/regions")[1])
    assert [one["name"] for one in listed] == [one.name for one in regions.named]
    for number, one in enumerate(listed, 1):
        assert regions.name_at(one["place"]) == one["name"]
        voxel = tuple(np.rint(grid.to_voxels([one["place"]])[0]).astype(int))
        reached = (regions.labels.reshape(grid.shape) == number) & grid.mask
        assert grid.mask[voxel] or not reached.any()
    assert json.loads(client.ask("/api/run")[1])["regions"] == len(listed)

    seed = "x=0&y=0&z=0&region=3&name=parcel+3"
    answer, body = client.ask(f"/api/map?{seed}")
    live = session.cleaned.live
    wanted = live.payload(live.seed_signal(regions.seed(3)).unit)
    assert np.array_equal(np.frombuffer(body, "<i2"), wanted)
    x, y, z = listed[2]["place"]
    about = json.loads(client.ask(f"/api/about?{seed}&ax={x}&ay={y}&az={z}")[1])
    assert about["placeName"] == "parcel 3"
    assert f"'parcel 3={regions.named[2].atlas.source}#30'" in about["command"]
    for wrong in ("region=0", "region=99", "region=x", "region=-1", "region=nan"):
        assert client.status(f"/api/map?x=0&y=0&z=0&{wrong}") == 422

    body = json.dumps({"region": 3, "name": "parcel 3"}).encode()
    post = {"method": "POST", "body": body, "Content_Type": "application/json"}
    for _ in range(2):
        assert json.loads(client.ask("/api/look", **post)[1])["looked"] == 1
    (log,) = session.out.glob("*_exploration.jsonl")
    assert json.loads(log.read_text())["seed"].endswith("#30")
    files = json.loads(client.ask("/api/save", **post)[1])["files"]
    (name,) = [file for file in files if file.endswith("stat-r_statmap.nii.gz")]
    words = shlex.split(about["command"])[1:]
    assert main([*words, "--out", str(tmp_path / "run"), "--no-figures"]) == 0
    found, wanted = (
        nib.load(folder / name).get_fdata() for folder in (session.out, tmp_path / "run")
    )
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_without_an_atlas_there_are_no_regions(client):
    assert json.loads(client.ask("/api/regions")[1]) == []
    assert client.ask("/api/labels")[1] == b""
    answer, body = client.ask("/api/map?x=0&y=0&z=0&region=1")
    assert answer.status == 422
    assert "--atlas" in json.loads(body)["error"]
