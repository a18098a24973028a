"""Regions of an atlas and the mosaic of slices in a real browser."""

import json
import shlex

import numpy as np
import pytest

from seedmap import Sphere, seed_maps
from seedmap.analysis import Inputs
from seedmap.datasets import make_surface_phantom
from seedmap.explorer import Explorer, ServerOptions, begin_session, open_source
from seedmap.explorer.command import Command
from seedmap.seeds import Region, parse_seed

CLOSE = 2e-5
PCC = (0, -52, 18)


@pytest.fixture(scope="module")
def truth(phantom):
    """Return the map that `seed_maps` makes of a seed."""

    def make(seed):
        given = {"confounds": phantom.confounds[0], "mask_img": phantom.masks[0]}
        return seed_maps(phantom.func[0], [seed], **given, uncertainty=None)

    return make


def same_map(window, maps):
    found = np.array(window.read("Array.from(seedmap.r)"), dtype=float)
    found[found == -32768] = np.nan
    np.testing.assert_allclose(found / 32767, maps.r[0], rtol=0, atol=CLOSE)


def drawn(window, ink):
    """Count the pixels of all canvases that have the colour of an ink."""
    return window.page.evaluate(
        """(ink) => {
        const text = seedmap.painter.ink()[ink];
        const color = [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
        let count = 0;
        for (const { context, canvas } of seedmap.panes) {
          const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
          for (let p = 0; p < data.length; p += 4) {
            count += color.every((value, k) => Math.abs(data[p + k] - value) < 3);
          }
        }
        return count;
    }""",
        ink,
    )


def test_a_region_is_named_outlined_and_taken_as_the_seed(window_on, with_parcels, truth, parcels):
    """By keys and clicks; the map is that of the command; the link brings all of it back."""
    window = window_on(with_parcels.url)
    page = window.page
    window.type_seed(PCC)
    name = page.inner_text("#region")
    assert name == with_parcels.session.name_at(PCC)
    plain, sphere = drawn(window, "outline"), drawn(window, "seed")
    assert plain > 100
    page.locator(".pane[data-axis='2'] canvas").focus()
    page.keyboard.press("r")
    window.at_rest()
    number = int(name.removeprefix("parcel "))
    same_map(window, truth(Region("s", parcels, 10 * number)))
    assert page.input_value("#name") == name
    assert page.is_disabled("#radius")
    assert drawn(window, "seed") > sphere
    window.until(f"document.getElementById('command').value.includes('#{10 * number}')")
    words = shlex.split(page.input_value("#command"))
    same_map(window, truth(parse_seed(words[words.index("--seed") + 1])))

    asked = window.read("seedmap.maps.counts.asked")  # the crosshair stays in the region
    middle = window.read(f"seedmap.regions.placeOf({number})")
    page.mouse.click(*window.point(window.read("seedmap.state.at")))
    window.at_rest()
    assert window.read("seedmap.maps.counts.asked") == asked
    assert window.seed() == middle
    other = with_parcels.session.name_at((-40, -24, 18))
    window.click((-40, -24, 18))
    assert other != name
    assert page.input_value("#name") == page.inner_text("#region") == other
    label = 10 * int(other.removeprefix("parcel "))
    same_map(window, truth(Region("s", parcels, label)))
    page.keyboard.press("k")
    window.until("seedmap.state.pins.length === 1")

    page.keyboard.press("o")
    window.at_rest()
    assert drawn(window, "outline") < plain / 4
    assert not page.is_checked("#outlines")
    page.keyboard.press("s")  # a sphere again
    window.at_rest()
    same_map(window, truth(Sphere("s", tuple(window.read("seedmap.state.at")), 8.0)))
    page.keyboard.press("Control+z")
    window.at_rest()
    same_map(window, truth(Region("s", parcels, label)))
    window.until("location.hash.includes('region=') && location.hash.includes('outlines=0')")
    link = page.evaluate("location.hash")
    page.click("#save")
    window.until("seedmap.panel.saved")
    saved = [file for file in window.read("seedmap.panel.saved") if file.endswith("r_statmap.json")]
    facts = json.loads((with_parcels.session.out / saved[0]).read_text())
    assert facts["Seed"]["definition"].startswith(f"region {label} of ")
    window.type_seed((0, 55, 0))
    assert window.read("seedmap.state.region") == 0
    window.open(with_parcels.url + link)
    same_map(window, truth(Region("s", parcels, label)))
    assert not page.is_checked("#outlines")
    assert window.read("seedmap.state.pins[0].region") == label / 10
    window.click((60, 60, 70))  # outside the brain the seed stays
    page.click("#whole")
    assert "no region" in page.inner_text("#trouble")
    own = [text for text in window.complaints if "getImageData" not in text]  # of `drawn` itself
    assert own == []
    window.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_mosaic_shows_many_slices_with_one_crosshair(window_on, with_parcels, truth, width):
    """Clicks, keys and the wheel act as in the three slices; it fits a narrow screen."""
    window = window_on(with_parcels.url, viewport={"width": width, "height": 844})
    page = window.page
    window.type_seed(PCC)
    page.locator(".pane[data-axis='2'] canvas").focus()
    page.keyboard.press("m")
    window.at_rest()
    mosaic = page.locator(".pane.mosaic canvas")
    assert page.locator(".pane canvas:visible").count() == 1
    assert mosaic.evaluate("canvas => document.activeElement === canvas")
    assert "M shows three slices" in mosaic.get_attribute("aria-label")
    tiles = window.read("seedmap.panes[0].tiles.map(({ z, here }) => [z, here])")
    assert 12 <= len(tiles) <= 20
    assert [z for z, here in tiles if here] == [18]
    assert [z for z, _ in tiles] == sorted(z for z, _ in tiles)
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    box = mosaic.bounding_box()
    other = next(n for n, (z, here) in enumerate(tiles) if z > 25)
    x, y = window.read(f"seedmap.panes[0].tiles[{other}].toPixel([-30, -20, 0])")
    page.mouse.click(box["x"] + x, box["y"] + y)
    window.at_rest()
    place = window.seed()
    assert place[2] == tiles[other][0]
    assert np.abs(np.array(place[:2]) - [-30, -20]).max() <= 1.5
    same_map(window, truth(Sphere("s", tuple(place), 8.0)))
    assert window.read("seedmap.panes[0].tiles.filter(({ here }) => here).length") == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("PageUp")
    window.at_rest()
    assert window.read("seedmap.state.at") == [place[0] - 8, place[1], place[2] + 8]
    mosaic.hover()
    page.mouse.wheel(0, 10)
    window.at_rest()
    assert window.read("seedmap.state.at") == [place[0] - 8, place[1], place[2]]
    values = window.read("[seedmap.look.threshold, seedmap.look.range]")
    page.keyboard.press("+")
    window.at_rest()
    assert window.read("seedmap.look.threshold") > values[0]
    window.until("location.hash.includes('mosaic=1')")
    link = page.evaluate("location.hash")
    with page.expect_download() as picture:
        page.click("#picture")
    assert picture.value.path().stat().st_size > 20_000
    page.click("#mosaic")
    window.at_rest()
    assert page.locator(".pane canvas:visible").count() == 3
    window.open(with_parcels.url + link)
    assert page.locator(".pane canvas:visible").count() == 1
    assert page.get_attribute("#mosaic", "aria-pressed") == "true"
    assert window.complaints == []
    window.context.close()


def test_slices_of_the_mosaic_have_the_colours_of_a_slice(window_on, with_parcels):
    """The crosshair's slice in the mosaic is, pixel by pixel, the axial slice at that size."""
    window = window_on(with_parcels.url)
    window.type_seed(PCC)
    window.page.click("#mosaic")
    window.at_rest()
    differ = window.page.evaluate(
        """async () => {
        const { Slice } = await import("./static/slices.js");
        const { marks } = await import("./static/regions.js");
        const { panes: [pane], view, underlay, map, state, painter } = seedmap;
        const n = pane.tiles.findIndex(({ here }) => here), slice = new Slice(2), ink = painter.ink();
        const colors = painter.table(seedmap.look, seedmap.full);
        slice.render(view, underlay, map, state.at, colors, pane.scale * pane.ratio, ink.pane);
        seedmap.regions.onSlice(slice, marks(state, seedmap.regionAt(state.at), ink));
        return slice.pixels.filter((pixel, p) => pixel !== pane.slices[n].pixels[p]).length;
    }"""
    )
    assert differ == 0
    window.context.close()


def test_regions_of_the_cortex(window_on, tmp_path):
    """Outlined at vertices where labels change, named, and a seed by a key, in either hemisphere."""
    phantom = make_surface_phantom(tmp_path / "cortex", n_frames=60)
    given = Inputs(phantom.func[0], confounds=phantom.confounds[0])
    session = begin_session(
        open_source(given),
        out=tmp_path / "out",
        atlas=phantom.atlas,
        command=Command.of_call(given),
    )
    with Explorer(session, ServerOptions()).start() as running:
        window = window_on(running.url)
        names = [one.name for one in session.regions.named]
        for name, side in (("RMotor", "right"), ("left PCC", "left")):
            number = 1 + names.index(name)
            window.read(f"seedmap.goTo(seedmap.regions.placeOf({number}))")
            window.at_rest()
            assert window.page.inner_text("#region") == name
            window.page.locator(".pane.cortex canvas").first.focus()
            window.page.keyboard.press("r")
            window.at_rest()
            label = session.regions.named[number - 1].label
            seed = Region("s", {side: phantom.atlas[side]}, label)
            maps = seed_maps(
                phantom.func[0], seed, confounds=phantom.confounds[0], uncertainty=None
            )
            same_map(window, maps)
            window.until(f"document.getElementById('command').value.includes('gii#{label}')")
        assert window.page.locator("#mosaic:visible").count() == 0
        differ = window.page.evaluate(
            """() => {
            const [pane] = seedmap.panes, labels = pane.raster.labelsOf(seedmap.regions.labels);
            const { edges, width } = pane.raster, found = new Set();
            for (let n = 0; n < edges.length; n += 4) found.add(edges[n]);
            let wrong = 0;
            for (let p = 0; p + width + 1 < labels.length; p++) {
              const right = (p + 1) % width && labels[p] !== labels[p + 1];
              wrong += (right || labels[p] !== labels[p + width]) !== found.has(p);
            }
            return [wrong, found.size];
        }"""
        )
        assert differ[0] == 0
        assert differ[1] > 100
        assert window.complaints == []
        window.context.close()


def test_colours_end_half_a_voxel_beyond_the_last(window_on, with_parcels):
    """A box of two voxels a side, all of value 7, in a slice of 0.5 mm pixels that is wider."""
    window = window_on(with_parcels.url)
    row = window.page.evaluate(
        """async () => {
        const { NOTHING, Volume, sample } = await import("./static/volume.js");
        const affine = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
        const volume = new Volume(affine, [2, 2, 2], new Int16Array(8).fill(7)), out = new Int16Array(12 * 12);
        const place = { origin: [-2.25, -2.25, 0], right: [0.5, 0, 0], down: [0, 0.5, 0] };
        sample(volume, place, 12, 12, out, NOTHING);
        return [...out].map((value) => value === 7).map(Number);
    }"""
    )
    found = np.array(row).reshape(12, 12)
    inside = np.flatnonzero(found.any(axis=0))
    assert np.array_equal(inside, np.flatnonzero(found.any(axis=1)))
    assert (inside.min(), inside.max()) == (4, 7)  # from -0.25 to 1.25 mm
    window.context.close()
