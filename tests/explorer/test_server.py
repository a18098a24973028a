"""From a call to a page: notebooks, the command line, results of before, and the end."""

import json
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nibabel as nib
import numpy as np
import pytest
from cyclopts import App

from seedmap import Sphere, seed_maps
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
    in_mni_space,
    landmarks,
    read_atlas,
    template_underlay,
)
from seedmap.images import open_run

PCC = Sphere("PCC", (0, -52, 18), 8.0)


@pytest.fixture(scope="module")
def maps(phantom, options):
    return seed_maps(phantom.func[0], [PCC], **options, uncertainty=None)


def test_explore_a_run_in_a_notebook(phantom, tmp_path):
    with explore(phantom.func[0], mask_img=phantom.masks[0], out=tmp_path) as explorer:
        html = explorer._repr_html_()
        assert "<iframe" in html
        assert f"proxy/{explorer.port}/" in html  # behind jupyter-server-proxy
        with pytest.raises(urllib.error.HTTPError, match="403"):  # urllib keeps no cookies
            urllib.request.urlopen(explorer.url, timeout=5)
    with pytest.raises(OSError, match=r"refused|reset"):
        urllib.request.urlopen(explorer.url, timeout=2)


def test_explore_maps_as_they_were_cleaned(phantom, options, maps, tmp_path):
    with explore(maps, out=tmp_path, start=PCC) as explorer:
        cleaned = explorer.session.cleaned
        r = cleaned.live.r(cleaned.live.listen(PCC).unit)
        np.testing.assert_allclose(r, maps.r[0], rtol=0, atol=1e-5)


def test_explore_a_folder_of_results(maps, tmp_path):
    maps.save(tmp_path / "results")
    told = recall(tmp_path / "results")
    assert told.start == PCC
    assert told.options["cleaning"] == maps.provenance.cleaning
    source = open_source(told.bold, **told.options)
    cleaned = source.clean(source.recipe)
    r = cleaned.live.r(cleaned.live.listen(PCC).unit)
    np.testing.assert_allclose(r, maps.r[0], rtol=0, atol=1e-5)


def test_results_that_cannot_be_recalled(tmp_path, maps):
    with pytest.raises(MissingFile, match="no map of r"):
        recall(tmp_path)
    (sidecar,) = [p for p in maps.save(tmp_path) if p.name.endswith("stat-r_statmap.json")]
    told = json.loads(sidecar.read_text())
    for change, error in (
        ({"Sources": ["/nowhere/run.nii.gz"]}, MissingFile),
        ({"Mask": "image in memory"}, OptionError),
        ({"Seed": None}, OptionError),
    ):
        sidecar.write_text(json.dumps(told | change))
        with pytest.raises(error):
            recall(tmp_path)


def test_the_command_line(phantom, monkeypatch, tmp_path, capsys):
    served = {}

    def serve(session, options, *, browser, say):
        served.update(session=session, options=options, browser=browser)
        say("http://here")

    monkeypatch.setattr("seedmap.cli.explore.serve", serve)
    app = App()
    app.command("seedmap.cli.explore:explore")
    words = ["explore", str(phantom.func[0]), "--confounds", str(phantom.confounds[0])]
    words += ["--confound-columns", "csf", "--high-pass", "none", "--no-browser", "--port", "0"]
    words += [
        "--uncertainty",
        "none",
        "--seed",
        "mPFC=1,55,-3:6",
        "--out",
        str(tmp_path),
        "--idle-minutes",
        "5",
    ]
    app(words, result_action="return_value")
    session = served["session"]
    assert served["browser"] is False
    assert served["options"].idle_minutes == 5
    assert session.start == Sphere("mPFC", (1, 55, -3), 6.0)
    assert session.source.recipe.cleaning.high_pass is None
    assert session.source.uncertainty is None
    line = session.command.line(session.source, session.source.recipe, PCC)
    assert "--confound-columns csf" in line
    assert "--high-pass none" in line
    assert "brain_mask" in line  # the sibling's, found and spelled out
    assert "http://here" in capsys.readouterr().out
    session.close()


def test_the_command_is_spelled_out(phantom):
    source = open_source(phantom.func[0], confounds=phantom.confounds[0], smoothing_fwhm=None)
    command = Command.of_call(phantom.func[0], phantom.confounds[0], None, None, 2.0)
    words = shlex.split(command.line(source, source.recipe, Sphere("a b", (0, -52.25, 18), None)))
    assert words[:5] == ["seedmap", "run", str(phantom.func[0]), "--seed", "a b=0,-52.25,18:0"]
    assert words[-2:] == ["--smoothing-fwhm", "none"]
    assert words[words.index("--mask-img") + 1] == "background"
    assert "--confound-columns" not in words
    unspoken = Command.of_call(phantom.func[0], np.zeros((100, 1)), None, None, None)
    assert unspoken.line(source, source.recipe, PCC).startswith("#")


def test_an_idle_server_stops(phantom, tmp_path):
    session = begin_session(open_source(phantom.func[0]), out=tmp_path, anatomy=phantom.masks[0])
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


def test_a_log_that_cannot_be_written_is_said(explorer, tmp_path):
    (tmp_path / "file").write_text("")
    session = Session(explorer.session.source, tmp_path / "file" / "out", Command())
    session._cleaned = explorer.session.cleaned
    with pytest.raises(OutputError, match="--out"):
        session.look(PCC)


def test_a_newer_recipe_takes_over(phantom, options, tmp_path):
    source = open_source(phantom.func[0], **options)
    session = begin_session(source, out=tmp_path, anatomy=phantom.masks[0])
    for width in (3.0, 4.0, 5.0, 7.0):
        wish = source.recipe.switched(
            smoothing_fwhm=width, high_pass=0.01, low_pass=0.1, groups=source.recipe.groups
        )
        session.switch(wish)
    late = time.monotonic() + 20
    while session.job.running:
        assert time.monotonic() < late
        time.sleep(0.01)
    assert session.cleaned.recipe.smoothing_fwhm == 7.0
    assert session.job.error == ""
    session.close()


def test_a_large_run_lets_its_rows_go_first(phantom, options, tmp_path, monkeypatch):
    monkeypatch.setattr("seedmap.explorer.session.ROOM_FOR_TWO", 0)
    source = open_source(phantom.func[0], **options)
    session = begin_session(source, out=tmp_path, anatomy=phantom.masks[0])
    session.switch(source.recipe)
    session._thread.join(timeout=20)
    assert session.version == 2
    assert session.cleaned.recipe == source.recipe
    session.close()


def test_underlays_and_names(phantom, tmp_path):
    assert in_mni_space(open_run(phantom.func[0]))
    template = template_underlay()
    assert template.grey.dtype == np.uint8
    assert template.grey.max() == 255
    assert landmarks().name_at((-6, 50, -1)).startswith("near vmPFC (default)")
    assert landmarks().name_at((300, 0, 0)) == ""
    atlas = read_atlas(phantom.atlas)
    assert atlas.name_at((0, -52, 18)) == "PCC"
    assert atlas.name_at((0, 0, 900)) == ""
    with pytest.raises(ImageError, match="3-D"):
        image_underlay(str(phantom.func[0]))
    nib.save(nib.load(phantom.atlas), tmp_path / "alone.nii.gz")
    with pytest.raises(MissingFile, match="index and name"):
        read_atlas(tmp_path / "alone.nii.gz")
    (tmp_path / "alone.tsv").write_text("number\tname\n1\tx\n")
    with pytest.raises(ImageError, match="look-up table"):
        read_atlas(tmp_path / "alone.nii.gz")


def test_a_run_elsewhere_has_its_own_mean_beneath(tiny_run, tmp_path):
    run = tiny_run(frames=40)
    session = begin_session(open_source(run, smoothing_fwhm=None), out=tmp_path)
    assert session.picture().name == "mean of the run"
    assert session.start is None
    assert session.names is None
    session.close()


def test_a_missing_extra_is_told_in_a_sentence():
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
    source = open_source(phantom.func[0], mask_img=phantom.masks[0], uncertainty=None)
    session = begin_session(source, out=tmp_path, anatomy=phantom.masks[0])
    with Explorer(session, ServerOptions()).start() as explorer:
        page = chromium.new_page()
        page.goto(explorer.url + "#seed=0,-52,18&stat=z")
        page.locator("#peaks tbody tr").first.wait_for(timeout=20_000)
        assert page.locator(".segmented").is_hidden()
        assert page.evaluate("seedmap.state.stat") == "r"
        assert page.evaluate("fetch('api/certain?x=0&y=-52&z=18').then((a) => a.status)") == 422
        page.close()
