"""Maps inside a page: what is packed is what the maps hold, and a browser draws it without a network."""

import base64
import gzip
import json

import html5lib
import numpy as np
import pytest

import seedmap as sm
from seedmap.report.viewer import MOST_MAPS, pack_maps, viewer_of

SEEDS = [sm.Sphere("PCC", (0, -52, 18)), sm.Sphere("LM", (-36, -25, 57))]


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    phantom = sm.datasets.make_phantom(
        tmp_path_factory.mktemp("phantom"), voxel_size=10, n_frames=100
    )
    return sm.seed_maps(phantom.func[0], SEEDS, mask_img=phantom.masks[0])


def unpacked(one, kind):
    data = gzip.decompress(base64.b64decode(one["data"]))
    return np.frombuffer(data, kind).reshape(one["shape"])


def test_the_values_in_the_page_are_those_of_the_maps(maps):
    facts = json.loads(viewer_of(pack_maps(maps)).data)
    assert [one["name"] for one in facts["maps"]] == ["PCC", "LM"]
    for seed, one in zip(("PCC", "LM"), facts["maps"], strict=True):
        steps = unpacked(one, "<i2")
        inside = steps != -32768
        places = np.argwhere(inside) @ np.array(one["affine"])[:3, :3].T
        places += np.array(one["affine"])[:3, 3]
        affine = np.array(maps.space.affine)
        wanted = np.argwhere(maps.space.mask) @ affine[:3, :3].T + affine[:3, 3]
        np.testing.assert_allclose(places, wanted, atol=1e-9)
        # Half a step of 64 / 32767, and float32.
        np.testing.assert_allclose(steps[inside] / 32767, maps.values(seed, "r"), atol=1.01e-3)
        np.testing.assert_allclose(one["corners"], [wanted.min(axis=0), wanted.max(axis=0)])
    assert facts["maps"][0]["center"] == [0, -52, 18]


def test_missing_values_stay_missing(maps):
    maps = pack_maps(maps)
    assert (unpacked(maps[0], "<i2") == -32768).any()


def test_the_anatomy_is_the_template(maps):
    anatomy = json.loads(viewer_of(pack_maps(maps)).data)["anatomy"]
    grey = unpacked(anatomy, "u1")
    assert grey.shape == (99, 117, 95)
    assert anatomy["name"] == "the MNI152 template"
    middle = np.linalg.inv(anatomy["affine"]) @ [0, -20, 20, 1]
    assert grey[tuple(np.round(middle[:3]).astype(int))] > 0
    assert grey[0, 0, 0] == 0


def test_many_maps_are_left_to_the_files(maps):
    packed = pack_maps(maps, "run-1, 6P, ") * MOST_MAPS
    viewer = viewer_of(packed)
    assert len(json.loads(viewer.data)["maps"]) == len(viewer.names) == MOST_MAPS
    assert viewer.left_out == MOST_MAPS
    assert viewer.names[0] == "run-1, 6P, PCC"
    assert viewer_of([]) is None


def test_nothing_in_the_page_ends_its_script(maps):
    viewer = viewer_of(pack_maps(maps, "</script><b>"))
    assert "<" not in viewer.data
    assert "</script" not in viewer.script
    assert "import " not in viewer.script.split("class Reader")[1]


def test_the_page_is_valid(maps, tmp_path):
    *_, page = sm.report.write_report(maps, tmp_path)
    text = page.read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(text)
    assert f"{viewer_of(pack_maps(maps)).size} in all" in text
