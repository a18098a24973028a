"""A bad frame, a lost frame and a burst are named wherever a reader looks."""

import json
import re
import shutil
from urllib.request import HTTPCookieProcessor, build_opener

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.analysis import Inputs, Limits, Method
from seedmap.cli import main
from seedmap.datasets import make_phantom
from seedmap.explorer import Explorer, ServerOptions, begin_session, open_source

FAULTS = {"bad frame": [70], "lost frame": [40], "burst": [100, 101, 102, 103, 104]}
SEED = "PCC=0,-52,18"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=12, n_frames=150)


@pytest.fixture(scope="module", params=FAULTS)
def faulty(request, phantom, tmp_path_factory):
    """Spoil a run; return its path and the frames that are spoilt."""
    image, frames = nib.load(phantom.func[0]), FAULTS[request.param]
    values = np.asarray(image.dataobj, dtype=np.float32)
    if request.param == "lost frame":
        values[..., frames] = 0
    else:
        noise = np.random.default_rng(0).standard_normal(values[..., frames].shape)
        values[..., frames] += 12 * values.std(axis=-1, keepdims=True) * noise
    path = tmp_path_factory.mktemp("run") / "sub-01_task-rest_bold.nii.gz"
    nib.save(nib.Nifti1Image(values, image.affine, image.header), path)
    return path, frames


def named(text):
    """Return the frames that a text names: ``frames 5, 100-104``."""
    (found,) = re.findall(r"frames? ([\d, -]+?) holds? ", " ".join(text.split()))
    spans = (part.split("-") for part in found.split(", "))
    return {frame for a, *b in spans for frame in range(int(a), int((b or [a])[0]) + 1)}


def test_terminal_page_and_sidecar_name_the_frames(faulty, phantom, tmp_path, capsys):
    path, frames = faulty
    words = ["run", path, "--seed", SEED, "--confounds", phantom.confounds[0], "--out", tmp_path]
    assert main([*map(str, words), "--t-r", "2"]) == 0
    printed = capsys.readouterr()
    assert set(frames) <= named(printed.err)
    assert set(frames) <= named(next(tmp_path.glob("*_report.html")).read_text())
    facts = json.loads(next(tmp_path.glob("*_stat-r_statmap.json")).read_text())
    assert set(frames) <= set(facts["FramesOfLargeVariance"])
    assert facts["NoisiestFrame"] in frames
    assert facts["VarianceFactor"] > 1.2


def test_censoring_them_ends_the_warning_of_them(faulty, phantom):
    path, frames = faulty
    bad = [*frames]
    for _ in range(3):  # the phantom's own jerks show once the worst are gone
        keep = np.setdiff1d(np.arange(150), bad)
        maps = sm.seed_maps(path, SEED, confounds=phantom.confounds[0], sample_mask=keep, t_r=2.0)
        found = maps.certainty.unevenness(maps.provenance.keep)
        assert not set(found.frames) & set(bad)
        bad += found.frames
    assert not found.uneven


@pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
def test_explorer_names_the_frames(faulty, phantom, tmp_path):
    """What the browser is sent with a map of z, and shows beside it."""
    path, frames = faulty
    source = open_source(Inputs(path, confounds=phantom.confounds[0], t_r=2.0), Method(), Limits())
    with Explorer(begin_session(source, out=tmp_path), ServerOptions()).start() as explorer:
        browser = build_opener(HTTPCookieProcessor())
        browser.open(explorer.url).close()
        address = explorer.url.split("?")[0] + "api/certain?x=0&y=-52&z=18&n=1&w=one&name=PCC"
        with browser.open(address) as answer:
            notes = json.loads(answer.headers["X-Map"])["notes"]
    assert set(frames) <= named(" ".join(notes))


def test_page_and_sidecar_of_a_participant_name_the_frames(faulty, tmp_path):
    path, frames = faulty
    study = tmp_path / "study"
    folder = study / "sub-01" / "func"
    folder.mkdir(parents=True)
    stem = "sub-01_task-rest_space-MNI152NLin2009cAsym"
    shutil.copy(path, folder / f"{stem}_desc-preproc_bold.nii.gz")
    (folder / f"{stem}_desc-preproc_bold.json").write_text('{"RepetitionTime": 2.0}')
    about = {"Name": "study", "BIDSVersion": "1.10.0", "DatasetType": "derivative"}
    (study / "dataset_description.json").write_text(json.dumps(about))
    words = ["bids", study, tmp_path / "out", "participant", "--seed", SEED, "--strategy", "none"]
    assert main([*map(str, words), "--mask-img", "background", "--no-figures", "-q"]) == 0
    page = (tmp_path / "out" / "sub-01.html").read_text()
    facts = json.loads(next((tmp_path / "out").rglob("*_stat-r_*statmap.json")).read_text())
    assert set(frames) <= set(facts["FramesOfLargeVariance"])
    shown = re.sub(r"<[^>]+>", " ", page)
    assert set(frames) <= named(shown[: shown.index("z and p allow for it")])
    for fact in ("Noise in time", "Noisiest frame", "Null hypothesis", "5 % of dof"):
        assert fact in shown
    assert "Smallest |r| with p &lt; 0.001" in shown
