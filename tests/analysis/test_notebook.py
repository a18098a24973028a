"""What a notebook shows, and maps as data frames: the numbers are those of the arrays."""

import numpy as np
import pytest

import seedmap as sm
from seedmap.errors import OptionError


@pytest.fixture(scope="module")
def maps(phantom):
    seeds = [sm.Sphere("PCC", (0, -52, 18), 14), sm.Sphere("LM", (-36, -25, 57), 14)]
    return sm.seed_maps(phantom.func[0], seeds, confounds=phantom.confounds[0])


def test_the_repr_has_three_lines(maps, phantom):
    lines = repr(maps).splitlines()
    assert lines[0] == "SeedMaps of PCC, LM"
    assert f"{maps.space.n_samples:,} voxels" in lines[1]
    assert f"{np.nanmin(maps.r[0]):.2f} to {np.nanmax(maps.r[0]):.2f}" in lines[1]
    assert len(lines) == 3
    run = sm.open_run(phantom.func[0])
    assert "100 frames, 2 s, Grid(" in repr(run)
    assert f"{maps.space.n_samples:,} in the mask)" in repr(maps.space)
    assert repr(phantom).startswith("Phantom(1 run(s) in ")


def test_one_seed_alone_has_its_own_numbers(maps):
    alone = maps["LM"]
    assert alone.seeds == ("LM",)
    for stat in maps.stats:
        assert np.array_equal(alone.values("LM", stat), maps.values("LM", stat), equal_nan=True)
    assert alone.sidecar("LM", "z") == maps.sidecar("LM", "z")
    with pytest.raises(OptionError, match="no seed 'X'"):
        maps["X"]


def test_one_seed_of_seeds_taken_together(phantom):
    seeds = [sm.Sphere("PCC", (0, -52, 18), 14), sm.Sphere("LM", (-36, -25, 57), 14)]
    maps = sm.seed_maps(phantom.func[0], seeds, measure="partial", strategy="6P")
    assert maps["LM"].sidecar("LM", "r") == maps.sidecar("LM", "r")
    assert maps["LM"].center("LM") == maps.center("LM")


def test_data_frames(maps):
    frame = maps.to_frame("z")
    assert list(frame.columns) == ["x_mm", "y_mm", "z_mm", "PCC", "LM"]
    assert np.array_equal(frame["LM"], maps.values("LM", "z"), equal_nan=True)
    assert np.allclose(frame[["x_mm", "y_mm", "z_mm"]], maps.space.coordinates())
    found, listed = maps.clusters("PCC", 0.3), maps.found_clusters("PCC", 0.3)
    first = found[found.cluster.str.isdigit()]
    assert [*first["size_mm3"]] == [one.mm3 for one in listed]
    assert [*found["z_mm"]] == [peak.z_mm for one in listed for peak in (one, *one.more)]
    assert set(maps.clusters(threshold=0.3)["seed"]) == {"PCC", "LM"}


def test_html_has_figure_and_table(maps, phantom):
    assert "No cluster with q &lt; 0.05" in maps["PCC"]._repr_html_()
    maps = sm.seed_maps(phantom.func[0], "PCC=0,-52,18", strategy="6P", uncertainty=None)
    page = maps._repr_html_()
    assert "data:image/png;base64," in page
    assert "<th>x_mm</th>" in page
    assert "SeedMaps of PCC" in page


@pytest.mark.parametrize("place", [(0, -52, 18), [0, -52, 18], np.array([0, -52, 18.0])])
def test_three_numbers_are_a_seed(phantom, place):
    options = {"confounds": phantom.confounds[0], "uncertainty": None}
    ours = sm.seed_maps(phantom.func[0], place, **options)
    named = sm.seed_maps(phantom.func[0], "PCC=0,-52,18", **options)
    assert ours.seeds == ("x0yminus52z18",)
    assert np.array_equal(ours.r, named.r, equal_nan=True)
    two = sm.seed_maps(phantom.func[0], [(6, -52, 18), (-6, -52, 18)], **options)
    assert len(two.seeds) == 2


def test_options_of_the_cleaning_are_sent_there(bold):
    with pytest.raises(OptionError, match=r"give cleaning=Cleaning\(high_pass=0.01\)"):
        sm.seed_maps(bold, "PCC=0,-52,18", high_pass=0.01)
    with pytest.raises(TypeError, match="unexpected keyword argument 'hihg_pass'"):
        sm.seed_maps(bold, "PCC=0,-52,18", hihg_pass=0.01)
