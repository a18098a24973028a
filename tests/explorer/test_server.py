"""From a call to a page: notebooks, the command line, results of before, and the end."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nibabel as nib
import numpy as np
import pytest

from seedmap import Sphere, seed_maps
from seedmap.analysis.options import Inputs, Method
from seedmap.analysis.pipeline import maps_of
from seedmap.analysis.prepare import prepare, read
from seedmap.analysis.stored import origin_facts
from seedmap.bids import in_mni_space
from seedmap.cli import main
from seedmap.errors import ImageError, MissingFile, OptionError, OutputError
from seedmap.explorer import (
    Command,
    Explorer,
    ServerOptions,
    Session,
    begin_session,
    explore,
    open_source,
    recall,
)
from seedmap.explorer.anatomy import (
    image_underlay,
    template_underlay,
)
from seedmap.images import open_run
from seedmap.spatial import Reading, extract, landmarks, read_atlas
from seedmap.store import write_stored

PCC = Sphere("PCC", (0, -52, 18), 8.0)


@pytest.fixture(scope="module")
def maps(phantom, options):
    return seed_maps(phantom.func[0], [PCC], **options, uncertainty=None)


def test_explore_a_run_in_a_notebook(phantom, tmp_path):
    with explore(phantom.func[0], mask_img=phantom.masks[0], out=tmp_path) as explorer:
        html = explorer._repr_html_()
        assert "<iframe" in html
        assert f"proxy/{explorer.port}/" in html  # behind jupyter-server-proxy
        address = explorer.url
        assert b"<html" in urllib.request.urlopen(address, timeout=5).read()
        with pytest.raises(urllib.error.HTTPError, match="403"):  # the token was used
            urllib.request.urlopen(address, timeout=5)
    with pytest.raises(OSError, match=r"refused|reset"):
        urllib.request.urlopen(explorer.url, timeout=2)


def test_explore_maps_as_they_were_cleaned(phantom, options, maps, tmp_path):
    with explore(maps, out=tmp_path, start=PCC) as explorer:
        cleaned = explorer.session.cleaned
        r = cleaned.live.r(cleaned.live.seed_signal(PCC).unit)
        np.testing.assert_allclose(r, maps.r[0], rtol=0, atol=1e-5)


def test_explore_a_folder_of_results(maps, tmp_path):
    maps.save(tmp_path / "results")
    recalled = recall(tmp_path / "results")
    assert recalled.start == PCC
    assert recalled.method.cleaning == maps.provenance.cleaning
    source = open_source(recalled.inputs, recalled.method)
    cleaned = source.clean(source.settings)
    r = cleaned.live.r(cleaned.live.seed_signal(PCC).unit)
    np.testing.assert_allclose(r, maps.r[0], rtol=0, atol=1e-5)


def test_sidecars_name_sources_by_uris_that_lead_back(phantom, options, tmp_path):
    table = str(phantom.confounds[0])
    mask = options["mask_img"]
    made = seed_maps(str(phantom.func[0]), [PCC], confounds=table, mask_img=mask)
    made.save(tmp_path / "results")
    (path,) = (tmp_path / "results").glob("*_stat-r_statmap.json")
    facts = json.loads(path.read_text())
    for one in (*facts["Sources"], facts["Mask"]):
        assert one.startswith("bids:")
        assert str(phantom.folder) not in one
    about = json.loads((tmp_path / "results/dataset_description.json").read_text())
    (link,) = about["DatasetLinks"].values()
    assert (tmp_path / "results" / link).resolve() == phantom.folder.resolve()
    recalled = recall(tmp_path / "results")
    assert recalled.inputs.bold == str(phantom.func[0])
    seed = f"mine={phantom.atlas}#1"
    seed_maps(str(phantom.func[0]), seed, confounds=table, uncertainty=None).save(tmp_path / "two")
    (path,) = (tmp_path / "two").glob("*_stat-r_statmap.json")
    seed = json.loads(path.read_text())["Seed"]
    assert seed["source"] == f"bids:{phantom.folder.name}:{phantom.atlas.name}"
    assert seed["definition"] == f"region 1 of {seed['source']}"
    assert recalled.command.confounds == (table,)


def test_results_that_cannot_be_recalled(tmp_path, maps):
    with pytest.raises(MissingFile, match="no map of r"):
        recall(tmp_path)
    (sidecar,) = [p for p in maps.save(tmp_path) if p.name.endswith("stat-r_statmap.json")]
    facts = json.loads(sidecar.read_text())
    for change, error in (
        ({"Sources": ["/nowhere/run.nii.gz"]}, MissingFile),
        ({"Mask": "image in memory"}, OptionError),
        ({"Seed": None}, OptionError),
    ):
        sidecar.write_text(json.dumps(facts | change))
        with pytest.raises(error):
            recall(tmp_path)
    for text in ("{", "[1]"):
        sidecar.write_text(text)
        with pytest.raises(OptionError, match=r"give the run|not JSON|holds no facts|wanted"):
            recall(tmp_path)


def test_a_folder_with_maps_of_several_runs_is_refused(tmp_path, maps):
    (sidecar,) = [p for p in maps.save(tmp_path) if p.name.endswith("stat-r_statmap.json")]
    facts = json.loads(sidecar.read_text()) | {"Sources": ["/elsewhere/run.nii.gz"]}
    (tmp_path / "other_seed-a_stat-r_statmap.json").write_text(json.dumps(facts))
    with pytest.raises(OptionError, match="maps of 2 runs"):
        recall(tmp_path)


def test_of_several_settings_the_last_count(tmp_path, maps):
    (sidecar,) = [p for p in maps.save(tmp_path) if p.name.endswith("stat-r_statmap.json")]
    facts = json.loads(sidecar.read_text())
    others = {
        "old": ({"SmoothingFWHM": 3.0}, "voxel nearest to (1, 2, 3) mm", [1, 2, 3]),
        "ball": ({}, "sphere of 4.5 mm radius at (-30, 0, 6) mm", [-30, 0, 6]),
        "voxel": ({}, "voxel nearest to (10, 0, 6) mm", [10, 0, 6]),
        "lesion": ({}, "12 voxels of lesion.nii.gz", [20.5, 0, 6]),
        "column": ({}, "column 3 of a table", None),
    }
    for number, (name, (change, definition, center)) in enumerate(others.items()):
        seed = {"name": name, "definition": definition, "center": center}
        path = tmp_path / f"run_seed-{name}_stat-r_statmap.json"
        path.write_text(json.dumps(facts | change | {"Seed": seed}))
        os.utime(path, ns=(number, number))
    assert set(recall(tmp_path).seeds) == {
        PCC,
        Sphere("ball", (-30.0, 0.0, 6.0), 4.5),
        Sphere("voxel", (10.0, 0.0, 6.0), None),
        Sphere("middle of lesion", (20.5, 0.0, 6.0)),
    }


def test_results_of_run_are_explored_with_their_seeds(phantom, options, tmp_path, served):
    keep = tmp_path / "keep.tsv"
    keep.write_text("keep\n" + "\n".join(str(int(k)) for k in options["sample_mask"]) + "\n")
    words = ["run", phantom.func[0], "--seed", "PCC=0,-52,18:6", "--seed", "mPFC=1,55,-3"]
    words += [
        "--confounds",
        phantom.confounds[0],
        "--confound-columns",
        "csf",
        "--sample-mask",
        keep,
    ]
    words += ["--smoothing-fwhm", "4", "--low-pass", "0.08", "--no-figures", "--quiet"]
    words += ["--out", tmp_path / "results", "--uncertainty", "none"]
    assert main(list(map(str, words))) == 0
    session = served(
        ["explore", str(tmp_path / "results"), "--no-browser", "--uncertainty", "none"]
    )
    assert set(session.before) == {
        Sphere("PCC", (0, -52, 18), 6.0),
        Sphere("mPFC", (1, 55, -3), 8.0),
    }
    assert session.start == session.before[0]
    assert session.source.settings.method.uncertainty is None
    live = session.cleaned.live
    for seed in session.before:
        (path,) = (tmp_path / "results").glob(f"*_seed-{seed.name}_stat-r_statmap.nii.gz")
        wanted = nib.load(path).get_fdata()[live.grid.mask]
        np.testing.assert_allclose(live.r(live.seed_signal(seed).unit), wanted, rtol=0, atol=1e-5)
    line = shlex.split(session.command.line(session.source, session.cleaned.settings, PCC))
    assert line[2] == str(phantom.func[0])
    assert line[line.index("--sample-mask") + 1] == str(keep)
    assert line[line.index("--confound-columns") + 1] == "csf"
    assert line[line.index("--low-pass") + 1] == "0.08"


def test_results_are_explored_as_they_were_made(maps, tmp_path, served):
    maps.save(tmp_path)
    with pytest.raises(OptionError, match="--smoothing-fwhm, --high-pass given"):
        served(["explore", str(tmp_path), "--smoothing-fwhm", "4", "--high-pass", "none"])


def test_the_command_line(phantom, served, tmp_path, capsys):
    words = ["explore", str(phantom.func[0]), "--confounds", str(phantom.confounds[0])]
    words += ["--confound-columns", "csf", "--high-pass", "none", "--no-browser", "--port", "0"]
    words += ["--uncertainty", "none", "--seed", "mPFC=1,55,-3:6", "--out", str(tmp_path)]
    session = served([*words, "--idle-minutes", "5"])
    assert served.browser is False
    assert served.options.idle_minutes == 5
    assert session.start == Sphere("mPFC", (1, 55, -3), 6.0)
    assert session.source.settings.method.cleaning.high_pass is None
    assert session.source.settings.method.uncertainty is None
    line = session.command.line(session.source, session.source.settings, PCC)
    assert "--confound-columns csf" in line
    assert "--high-pass none" in line
    assert "--mask-img" not in line  # that beside the run is found again
    assert "http://here" in capsys.readouterr().out


def test_the_command_is_spelled_out(phantom):
    source = open_source(
        Inputs(phantom.func[0], confounds=phantom.confounds[0]), Method(smoothing_fwhm=None)
    )
    command = Command.of_call(Inputs(phantom.func[0], confounds=phantom.confounds[0], t_r=2.0))
    words = shlex.split(command.line(source, source.settings, Sphere("a b", (0, -52.25, 18), None)))
    assert words[:5] == ["seedmap", "run", str(phantom.func[0]), "--seed", "a b=0,-52.25,18:0"]
    assert words[-2:] == ["--smoothing-fwhm", "none"]
    assert "--mask-img" not in words
    assert "--confound-columns" not in words
    unspoken = Command.of_call(Inputs(phantom.func[0], confounds=np.zeros((100, 1))))
    assert unspoken.line(source, source.settings, PCC).startswith("#")


def test_an_idle_server_stops(phantom, tmp_path):
    session = begin_session(
        open_source(Inputs(phantom.func[0])), out=tmp_path, anatomy=phantom.masks[0]
    )
    explorer = Explorer(session, ServerOptions(idle_minutes=0.01)).start()
    explorer._thread.join(timeout=10)
    assert not explorer._thread.is_alive()
    explorer.close()


def test_options_are_checked(explorer):
    for options in (
        {"port": 99999},
        {"port": -1},
        {"idle_minutes": 0},
        {"idle_minutes": float("nan")},
    ):
        with pytest.raises(OptionError):
            ServerOptions(**options)
    with pytest.raises(OptionError, match="choose another"):
        Explorer(explorer.session, ServerOptions(port=explorer.port))


def test_small_packets_go_at_once(explorer):
    # asyncio sets TCP_NODELAY only where it sees the protocol; else a body waits for an ACK.
    assert explorer._socket.proto == socket.IPPROTO_TCP


def test_a_log_that_cannot_be_written_is_said(explorer, tmp_path):
    (tmp_path / "file").write_text("")
    session = Session(explorer.session.source, tmp_path / "file" / "out", Command())
    session._cleaned = explorer.session.cleaned
    with pytest.raises(OutputError, match="--out"):
        session.look(PCC)


def test_newer_settings_take_over(phantom, options, tmp_path):
    source = open_source(Inputs(phantom.func[0], **options))
    session = begin_session(source, out=tmp_path, anatomy=phantom.masks[0])
    for width in (3.0, 4.0, 5.0, 7.0):
        wish = source.settings.switched(
            smoothing_fwhm=width, high_pass=0.01, low_pass=0.1, groups=source.settings.groups
        )
        session.switch(wish)
    late = time.monotonic() + 20
    while session.job.running:
        assert time.monotonic() < late
        time.sleep(0.01)
    assert session.cleaned.settings.method.smoothing_fwhm == 7.0
    assert session.job.error == ""
    session.close()


def test_a_large_run_lets_its_rows_go_first(phantom, options, tmp_path, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.session.MOST_FOR_TWO", 0)
    source = open_source(Inputs(phantom.func[0], **options))
    session = begin_session(source, out=tmp_path, anatomy=phantom.masks[0])
    session.switch(source.settings)
    session._thread.join(timeout=20)
    assert session.version == 2
    assert session.cleaned.settings == source.settings
    session.close()


def test_underlays_and_names(phantom, tmp_path):
    assert in_mni_space(str(phantom.func[0]), open_run(phantom.func[0]).codes)
    template = template_underlay()
    assert template.grey.dtype == np.uint8
    assert template.grey.max() == 255
    assert landmarks().name_at((-6, 50, -1)) == "near vmPFC, default mode network"
    assert landmarks().name_at((300, 0, 0)) == ""
    atlas = read_atlas(phantom.atlas)
    assert atlas.name_at((0, -52, 18)) == "PCC"
    assert atlas.name_at((0, 0, 900)) == ""
    with pytest.raises(ImageError, match="3-D"):
        image_underlay(str(phantom.func[0]))
    nib.save(nib.load(phantom.atlas), tmp_path / "alone.nii.gz")
    assert read_atlas(tmp_path / "alone.nii.gz").name_at((0, -52, 18)) == "region 1"
    (tmp_path / "alone.tsv").write_text("number\tname\n1\tx\n")
    with pytest.raises(ImageError, match="look-up table"):
        read_atlas(tmp_path / "alone.nii.gz")


def test_an_atlas_of_grayordinates_is_refused_for_a_volume(phantom, options, tmp_path):
    row, places = (
        nib.cifti2.LabelAxis(["x"], [{1: ("one", (1, 0, 0, 1))}]),
        nib.cifti2.BrainModelAxis.from_mask(np.ones(4)),
    )
    path = tmp_path / "x.dlabel.nii"
    nib.save(nib.Cifti2Image(np.ones((1, 4), np.float32), (row, places)), path)
    source = open_source(Inputs(phantom.func[0], **options))
    with pytest.raises(ImageError, match="a volume image"):
        begin_session(source, out=tmp_path, atlas=path)


def test_a_run_elsewhere_has_its_own_mean_beneath(tiny_run, tmp_path):
    run = tiny_run(frames=40)
    session = begin_session(open_source(Inputs(run), Method(smoothing_fwhm=None)), out=tmp_path)
    assert session.picture().name == "mean of the run"
    assert session.start is None
    assert session.names is None
    session.close()


def test_a_missing_extra_is_reported_in_a_sentence():
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'uvicorn' else find(name, *rest)\n"
        "import seedmap.explorer"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'seedmap[explore]'" in done.stderr


def test_nothing_of_our_own_loads_from_elsewhere():
    from importlib.resources import files

    for file in (files("seedmap.explorer.web") / "static").iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?://", text), file.name
        assert "style=" not in text, file.name


def test_without_uncertainty_there_is_no_z(chromium, phantom, tmp_path):
    source = open_source(
        Inputs(phantom.func[0], mask_img=phantom.masks[0]), Method(uncertainty=None)
    )
    session = begin_session(source, out=tmp_path, anatomy=phantom.masks[0])
    with Explorer(session, ServerOptions()).start() as explorer:
        page = chromium.new_page()
        page.goto(explorer.url + "#seed=0,-52,18&stat=z")
        page.locator("#peaks tbody tr").first.wait_for(timeout=20_000)
        assert page.locator(".segmented").is_hidden()
        assert page.evaluate("seedmap.state.stat") == "r"
        assert page.evaluate("fetch('api/certain?x=0&y=-52&z=18').then((a) => a.status)") == 422
        page.close()


@pytest.fixture(scope="module")
def store(phantom, options, tmp_path_factory):
    """The phantom, stored as studies do."""
    pytest.importorskip("zarr")
    prepared = prepare(Inputs(phantom.func[0], **options), PCC)
    smooth = read(prepared)
    plain = extract(Reading(prepared.run, prepared.keep), mask=prepared.mask)
    facts = {**origin_facts(maps_of(prepared, smooth)), "file": phantom.func[0].name}
    path = tmp_path_factory.mktemp("store") / "run.zarr"
    write_stored(path, prepared.operator, smooth, plain, prepared.run.timing.t_r, facts)
    return path


def test_a_stored_run_is_looked_at_but_not_cleaned_anew(chromium, store, maps, tmp_path):
    with explore(store, out=tmp_path, start=PCC) as explorer:
        page = chromium.new_page()
        page.goto(explorer.url)
        page.locator("#peaks tbody tr").first.wait_for(timeout=20_000)
        assert page.locator("#cleaning :enabled").count() == 0
        assert page.inner_text("#cleaned") == "as this run was stored"
        r = np.array(page.evaluate("Array.from(seedmap.r)")) / 32767
        np.testing.assert_allclose(r, maps.r[0], rtol=0, atol=2e-4)
        words = shlex.split(page.input_value("#command"))
        assert words == ["seedmap", "run", "--from-store", str(store), "--seed", "PCC=0,-52,18:8"]
        page.close()


def test_the_verb_knows_a_stored_run(store, served):
    session = served(["explore", str(store), "--uncertainty", "none"])
    assert session.source.fixed
    assert session.source.settings.method.uncertainty is None
    with pytest.raises(OptionError, match="--low-pass given"):
        served(["explore", str(store), "--low-pass", "0.08"])
