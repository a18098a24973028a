"""A region of an atlas as the seed of a group: the group step's maps, on the page and in the command."""

import json
import shlex

import nibabel as nib
import numpy as np
import pytest

from seedmap.explorer import Explorer, ServerOptions, begin_group
from seedmap.group import Question, plan_group, run_group
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.group.stored import stored_members
from seedmap.group.tables import read_people
from seedmap.parallel import Pool

pytestmark = pytest.mark.filterwarnings("ignore:.*of it lies outside the mask")
CONTRASTS = ("mean", "patient - control")
PCC, ELSEWHERE = (0, -52, 18), (-30, 20, 18)


@pytest.fixture(scope="module")
def served(stored_study, tmp_path_factory):
    """A server of the study with an atlas of twelve parcels."""
    study, folder = stored_study, tmp_path_factory.mktemp("atlas")
    mask = nib.load(study.phantom.masks[0])
    inside = np.argwhere(np.asarray(mask.dataobj) > 0)
    middles = inside[np.linspace(0, len(inside) - 1, 12).astype(int)]
    labels = np.zeros(mask.shape, np.int16)
    away = np.linalg.norm(inside[:, None] - middles[None], axis=2)
    labels[tuple(inside.T)] = 1 + away.argmin(axis=1)
    nib.save(nib.Nifti1Image(labels, mask.affine), folder / "twelve.nii.gz")
    session = begin_group(
        study.root,
        pack_study(study.root, Choice("")),
        Choice(""),
        Question(
            seed="", model="group + age", contrasts=CONTRASTS, inference=None, variance="pooled"
        ),
        design=study.table,
        out=folder / "out",
        anatomy=study.phantom.masks[0],
        atlas=folder / "twelve.nii.gz",
        n_jobs=2,
    )
    with Explorer(session, ServerOptions()).start() as running:
        yield running


def group_of(study, text, contrast):
    """Return effect and t of ``seedmap group --from-store --seed TEXT``, by sample of the box."""
    members, dropped, name, _ = stored_members(study.root, Choice(""), text)
    asked = Question(
        seed=name, model="group + age", contrasts=(contrast,), inference=None, variance="pooled"
    )
    plan = plan_group(members, asked, read_people(study.table), dropped)
    maps = run_group(plan, pool=Pool(nprocs=1))[contrast]
    return [maps.space.unmask(maps.arrays[stat], outside=np.nan) for stat in ("effect", "t")]


def test_the_map_is_that_of_the_group_step(served, stored_study):
    session = served.session
    number = int(session.regions.labels[session.grid.mask.ravel()][500])
    seed = session.regions.seed(number, "here")
    command = shlex.split(session.written(seed, frozenset()))
    text = command[command.index("--seed") + 1]
    assert text.endswith(f"twelve.nii.gz#{number}")
    for which, contrast in enumerate(CONTRASTS):
        answer = session.live.maps(seed, which)
        effect, t = (values[session.grid.mask] for values in group_of(stored_study, text, contrast))
        close = np.abs(effect) < 1.5
        assert close.mean() > 0.9
        np.testing.assert_allclose(answer.effect[close], effect[close], rtol=0, atol=2e-5)
        np.testing.assert_allclose(answer.t[close], t[close], rtol=1e-3, atol=1e-3)
    assert session.live.near(seed).sum() > answer.voxels / 2


def test_regions_are_clicked_on_the_page(served, window_on):
    """By the key R and a click; the difference of two regions; the mosaic is of all samples."""
    session, live = served.session, served.session.live
    window = window_on(served.url)
    page = window.page

    def same_map(wanted):
        found = np.array(window.read("Array.from(seedmap.r.tested)"), dtype=float)
        found[found == -32768] = np.nan
        inside = np.abs(wanted.t) < 60
        np.testing.assert_allclose(found[inside] / 32767 * 60, wanted.t[inside], atol=60 / 32767)

    def region(place):
        voxel = tuple(np.rint(session.grid.to_voxels([place])[0]).astype(int))
        return session.regions.seed(int(session.regions.labels.reshape(session.grid.shape)[voxel]))

    window.type_seed(PCC)
    page.locator(".pane[data-axis='2'] canvas").focus()
    page.keyboard.press("r")
    window.at_rest()
    first, second = region(PCC), region(ELSEWHERE)
    same_map(live.maps(first))
    assert page.inner_text("#region") == first.name
    window.until(f"document.getElementById('command').value.includes('#{first.label}')")
    page.keyboard.press("k")
    window.until("seedmap.state.pins.length === 1 && document.querySelector('#pins .less')")
    window.at_rest()  # slices are smaller, beside what is kept
    window.click(ELSEWHERE)
    window.until(f"seedmap.state.region === {second.number}")
    window.at_rest()
    same_map(live.maps(second))
    page.click("#pins .less")
    window.at_rest()
    assert window.read("[seedmap.state.less.region, seedmap.state.region]") == [
        first.number,
        second.number,
    ]
    page.keyboard.press("Escape")
    page.click("#less button")
    window.at_rest()
    page.click("#mosaic")
    window.at_rest()
    tile = window.read("seedmap.panes[0].tiles.findIndex(({ z }) => z > 10 && z < 40)")
    x, y = window.read(f"seedmap.panes[0].tiles[{tile}].toPixel([0, -52, 0])")
    box = page.locator(".pane.mosaic canvas").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)
    window.at_rest()
    assert window.read("seedmap.facts.part") == "all"
    same_map(live.maps(region(window.read("seedmap.state.at"))))
    lines = (session.out / "group_exploration.jsonl").read_text().splitlines()
    log = [json.loads(line) for line in lines]
    assert any(str(one["seed"]).endswith(f"#{first.label}") for one in log)
    assert window.complaints == []
    window.context.close()
