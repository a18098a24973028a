"""Figures: what they show, what they leave alone, and the files they become."""

import itertools
import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from seedmap.errors import OptionError, OutputError
from seedmap.figures import (
    Highlight,
    Look,
    plot_map,
    plot_sample_series,
    plot_series,
    save_figure,
    volume,
)

CENTER = (0.0, -52.0, 18.0)
AFFINE = np.array([[8.0, 0, 0, -90], [0, 8, 0, -126], [0, 0, 8, -72], [0, 0, 0, 1]])


def a_map(peak=0.9, nan=False):
    """A brain-sized box with a smooth blob of r at the seed and its opposite at the front."""
    grid = np.indices((24, 28, 24)).reshape(3, -1).T @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    blob = np.exp(-((grid - CENTER) ** 2).sum(1) / 800) - np.exp(
        -((grid - (0, 50, 18)) ** 2).sum(1) / 800
    )
    values = (peak * blob).reshape(24, 28, 24).astype(np.float32)
    if nan:
        values[:, 5, :] = np.nan
        values[3, 3, 3] = np.inf
    values.setflags(write=False)
    return nib.Nifti1Image(values, AFFINE)


def words(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def overlays(figure):
    return [image for image in figure.findobj() if type(image).__name__ == "AxesImage"]


def series(frames=40, seeds=3):
    values = np.random.default_rng(1).standard_normal((frames, seeds))
    values.setflags(write=False)
    return values


def abs_map():
    image = a_map()
    return nib.Nifti1Image(np.abs(image.get_fdata(dtype=np.float32)), image.affine)


class TestMap:
    def test_cuts_and_marks_the_seed(self):
        figure = plot_map(a_map(), seed="PCC", center=CENTER)
        said = words(figure)
        assert "PCC: r (|r| > 0.5)" in said
        assert {"x=0", "y=-52", "z=18"} <= set(said)
        marks = [c for c in figure.findobj() if type(c).__name__ == "PathCollection"]
        assert len(marks) == 15  # rim, ring and dot in each of three cuts and two glass brains
        assert len([word for word in said if word.startswith("z=")]) == 8  # a cut and seven slices

    def test_values_within_the_threshold_fade_by_the_square_of_their_size(self):
        values = np.zeros((24, 28, 24), np.float32)
        values[10, 8, 12], values[14, 8, 12], values[12, 8, 12] = 0.9, 0.25, -0.4
        image = nib.Nifti1Image(values, AFFINE)
        center = tuple(AFFINE[:3, :3] @ (12, 8, 12) + AFFINE[:3, 3])
        figure = plot_map(image, seed="a", center=center, look=Look(display_mode="ortho"))
        shades = figure.axes[2].images[1].get_array()
        seen = shades[..., 3][8, [10, 12, 14]] / 255
        np.testing.assert_allclose(seen, [1.0, 0.75 * 0.8**2, 0.75 * 0.5**2], atol=0.5 / 255)
        assert np.count_nonzero(shades[..., 3]) == 3

    def test_the_outline_runs_along_the_edges_of_what_is_beyond(self):
        values = np.zeros((24, 28, 24), np.float32)
        values[10:12, 8, 12] = 0.9
        values[15, 8, 12] = 0.4
        center = tuple(AFFINE[:3, :3] @ (10, 8, 12) + AFFINE[:3, 3])
        image = nib.Nifti1Image(values, AFFINE)
        figure = plot_map(image, seed="a", center=center, look=Look(display_mode="ortho"))
        (outline,) = [one for one in figure.axes[2].patches if type(one).__name__ == "PathPatch"]
        edges = outline.get_path().vertices.reshape(-1, 2, 2)
        assert len(edges) == 4  # of two pixels side by side, each as long as it runs straight
        low, high = edges.min(axis=(0, 1)), edges.max(axis=(0, 1))
        size = np.abs(np.diag(AFFINE)[:2])
        np.testing.assert_allclose(high - low, size * (2, 1))
        passed = values != 0
        other = Highlight(passed, "q < 0.05")
        figure = plot_map(image, seed="a", center=center, threshold=other)
        assert "a: r (q < 0.05)" in words(figure)

    @pytest.mark.parametrize(
        ("mode", "panels"), [("ortho", 3), ("glass", 3), ("z", 7), ("all", 12)]
    )
    def test_what_is_shown_can_be_chosen(self, mode, panels):
        figure = plot_map(a_map(), seed="PCC", center=CENTER, look=Look(display_mode=mode))
        assert len(figure.axes) == panels + 1  # and the colour bar

    def test_places_colours_and_ends_can_be_chosen(self):
        look = Look(display_mode="x", cut_coords=[-10, 20], vmax=0.7, cmap="PiYG")
        figure = plot_map(a_map(), seed="PCC", center=CENTER, look=look)
        assert {"x=-10", "x=20"} <= set(words(figure))
        assert figure.axes[-1].get_ylim() == (-0.7, 0.7)
        figure = plot_map(a_map(), seed="PCC", center=CENTER, look=Look(cut_coords=(4, 8, 12)))
        assert {"x=4", "y=8", "z=12"} <= set(words(figure))
        with pytest.raises(OptionError, match="give x, y and z in mm"):
            plot_map(a_map(), seed="PCC", center=CENTER, look=Look(cut_coords=(4, 8)))
        with pytest.raises(OptionError, match="display_mode='tiled' is not known"):
            Look(display_mode="tiled")

    def test_axes_that_are_given_are_drawn_into(self):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12, 5))
        _, right = figure.subplots(1, 2)
        assert plot_map(a_map(), seed="PCC", center=CENTER, look=Look(axes=right)) is figure
        box = right.get_position()
        for axes in figure.axes[2:]:
            place = axes.get_position()
            assert box.x0 <= place.x0 < place.x1 <= box.x1
            assert box.y0 <= place.y0 < place.y1 <= box.y1

    def test_colour_bar_of_r_ends_at_one_whatever_the_map_holds(self):
        for peak in (0.2, 1.0):
            figure = plot_map(a_map(peak), seed="a", center=CENTER, threshold=0.1)
            assert figure.axes[-1].get_ylim() == (-1, 1)

    @pytest.mark.parametrize(("peak", "limit"), [(1.7, 1.5), (0.3, 0.3), (40.0, 40.0)])
    def test_colour_bar_of_others_is_round(self, peak, limit):
        figure = plot_map(a_map(peak), seed="a", center=CENTER, threshold=0.01, stat="fisherz")
        low, high = figure.axes[-1].get_ylim()
        assert low == -high
        assert high == pytest.approx(limit, rel=0.35)
        assert high == float(f"{high:.2g}")
        assert "a: Fisher z (|atanh r| > 0.01)" in words(figure)

    @pytest.mark.parametrize("stat", ["survival", "seederror", "dof"])
    def test_colour_bar_of_what_is_never_negative_begins_at_0(self, stat):
        figure = plot_map(abs_map(), seed="a", center=CENTER, threshold=None, stat=stat)
        bar = figure.axes[-1]
        assert bar.get_ylim()[0] == 0
        assert all(tick >= 0 for tick in bar.get_yticks())
        # a value has the colour it has in a bar that goes on below
        both = plot_map(
            abs_map(), seed="a", center=CENTER, threshold=None, stat=stat,
            look=Look(symmetric_cbar=True),
        ).axes[-1]  # fmt: skip
        assert both.get_ylim() == (-bar.get_ylim()[1], bar.get_ylim()[1])
        one, two = (
            next(mesh for mesh in axes.collections if isinstance(mesh, QuadMesh)).cmap
            for axes in (bar, both)
        )
        np.testing.assert_allclose(one(0.25), two(0.625), atol=0.02)

    def test_nan_is_drawn_as_nothing(self):
        plot_map(a_map(nan=True), seed="PCC", center=CENTER)

    @pytest.mark.parametrize("center", [CENTER, None])
    def test_nothing_beyond_the_threshold(self, center):
        figure = plot_map(a_map(0.2), seed="PCC", center=center)
        assert "PCC: r (|r| > 0.5: no voxel)" in words(figure)

    def test_all_zero_and_all_nan(self):
        for value in (0.0, np.nan):
            image = nib.Nifti1Image(np.full((6, 6, 6), value, np.float32), 30 * np.eye(4))
            plot_map(image, seed="PCC", center=None, stat="fisherz", threshold=0)

    def test_without_centre_cuts_where_the_map_is_strong(self):
        figure = plot_map(a_map(), seed="noise", center=None)
        assert not [c for c in figure.findobj() if type(c).__name__ == "PathCollection"]
        y = next(int(w[2:]) for w in words(figure) if w.startswith("y="))
        assert min(abs(y + 52), abs(y - 50)) < 12

    def test_without_threshold_all_but_zero_is_drawn(self):
        figure = plot_map(a_map(), seed="PCC", center=CENTER, threshold=None)
        assert "PCC: r" in words(figure)

    def test_background_of_ones_own(self):
        background = nib.Nifti1Image(np.full((24, 28, 24), 900, np.int16), AFFINE)
        plot_map(a_map(), seed="PCC", center=CENTER, look=Look(background=background))

    def test_all_three_cuts_have_one_scale(self):
        figure = plot_map(a_map(), seed="PCC", center=CENTER)
        spans = []
        for axes in figure.axes[:3]:
            place = axes.get_position()
            width, height = place.width * 7.6, place.height * 3.9
            assert 0 <= place.x0 < place.x1 <= 0.9
            assert 0 <= place.y0 < place.y1 <= 0.92
            spans += [width / np.ptp(axes.get_xlim()), height / np.ptp(axes.get_ylim())]
        np.testing.assert_allclose(spans, spans[0])

    def test_left_is_on_the_left(self):
        values = np.zeros((24, 28, 24), np.float32)
        values[3:6, 12:15, 12:15] = 0.9  # x from -66 to -50 mm
        figure = plot_map(nib.Nifti1Image(values, AFFINE), seed="a", center=(-58, -22, 32))
        for axes in figure.axes[1:3]:
            marks = [t for t in axes.texts if t.get_text() in "LR"]
            assert [t.get_text() for t in sorted(marks, key=lambda t: t.get_position())] == [
                "L",
                "R",
            ]
            shown = axes.images[1].get_array()[..., 3]
            (columns,) = np.nonzero(shown.any(axis=0))
            left, right, *_ = axes.images[1].get_extent()
            assert left < right
            assert set(columns) == {3, 4, 5}

    def test_template_is_that_of_nilearn(self, monkeypatch):
        before = volume.mni_template()
        assert not before.values.flags.writeable
        monkeypatch.setattr(volume, "TEMPLATE", "not/there.nii.gz")
        after = volume.mni_template.__wrapped__()
        np.testing.assert_array_equal(before.affine, after.affine)
        np.testing.assert_allclose(before.values / 255, after.values, atol=1e-6)

    def test_the_image_is_left_alone(self):
        image = a_map(nan=True)
        before = np.array(image.dataobj)
        plot_map(image, seed="PCC", center=CENTER)
        np.testing.assert_array_equal(image.dataobj, before)


def lines(axes):
    return [
        line for line in axes.lines if line.get_marker() == "None" and len(line.get_xdata()) > 2
    ]


def panels_of(figure):
    """Count the panels: each has a corner of two axes."""
    (axes,) = figure.axes
    (corners,) = [one for one in axes.collections if type(one).__name__ == "LineCollection"]
    return len(corners.get_segments())


class TestSeries:
    def test_time_is_in_seconds(self):
        axes = plot_series(series(), ["a", "b", "c"], np.ones(40, bool), 1.5).axes[0]
        np.testing.assert_allclose(lines(axes)[0].get_xdata(), np.arange(40) * 1.5)
        assert axes.get_xlabel() == "time [s]"

    def test_frames_are_numbered_without_a_repetition_time(self):
        axes = plot_series(series(), ["a", "b", "c"], np.ones(40, bool)).axes[0]
        np.testing.assert_array_equal(lines(axes)[0].get_xdata(), np.arange(40))
        assert axes.get_xlabel() == "frame"

    def test_no_line_crosses_censored_frames(self):
        keep = np.ones(44, bool)
        keep[[0, 10, 11, 43]] = False
        keep.setflags(write=False)
        given = series()
        axes = plot_series(given, ["a", "b", "c"], keep, 2.0).axes[0]
        for column, line in enumerate(lines(axes)):
            np.testing.assert_array_equal(np.isnan(line.get_ydata()), ~keep)
            np.testing.assert_array_equal(line.get_ydata()[keep], given[:, column])
        bands = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]
        assert bands == [(-1, 1), (19, 23), (85, 87)]

    def test_a_frame_alone_between_censored_ones_is_a_dot(self):
        keep = np.ones(41, bool)
        keep[[20, 22]] = False
        axes = plot_series(series(39, 1), ["a"], keep).axes[0]
        dots = [line for line in axes.lines if line.get_marker() == "."]
        assert [list(dot.get_xdata()) for dot in dots] == [[21]]

    @pytest.mark.parametrize(("seeds", "panels"), [(1, 1), (3, 1), (4, 4), (8, 8)])
    def test_more_than_three_get_a_panel_each(self, seeds, panels):
        names = [f"seed {n}" for n in range(seeds)]
        figure = plot_series(series(40, seeds), names, np.ones(40, bool), 2.0)
        assert panels_of(figure) == panels
        said = words(figure)
        assert all(name in said for name in names)

    def test_long_names_get_a_panel_each(self):
        assert panels_of(plot_series(series(), ["n" * 40] * 3, np.ones(40, bool))) == 3

    def test_panels_lie_apart_and_have_the_same_ticks(self):
        given = series(40, 5)
        figure = plot_sample_series(given, list("abcde"), np.ones(40, bool))
        (axes,) = figure.axes
        drawn = [line.get_ydata() for line in lines(axes)]
        assert all(above.min() > below.max() for above, below in itertools.pairwise(drawn))
        shifts = [given[0, n] - one[0] for n, one in enumerate(drawn)]
        for values, shift, one in zip(given.T, shifts, drawn, strict=True):
            np.testing.assert_allclose(one + shift, values)
        ticks = dict(zip(axes.get_yticks(), axes.get_yticklabels(), strict=True))
        for shift in shifts:  # each panel has its own zero, where the tick says so
            near = min(ticks, key=lambda tick: abs(tick + shift))
            assert near == pytest.approx(-shift)
            assert ticks[near].get_text() == "0"

    def test_names_are_taken_literally(self, tmp_path):
        figure = plot_series(series(), ["$x", "_b", r"\alpha$"], np.ones(40, bool))
        assert {"$x", "_b", r"\alpha$"} <= set(words(figure))
        save_figure(figure, tmp_path / "x")

    def test_nan_and_short_series(self, tmp_path):
        save_figure(plot_series(np.full((3, 1), np.nan), ["a"], np.ones(3, bool)), tmp_path / "a")
        save_figure(plot_series(np.ones((1, 1)), ["a"], np.ones(1, bool)), tmp_path / "b")

    def test_samples_get_a_panel_each(self):
        figure = plot_sample_series(series(40, 2), ["(1, 2, 3) mm", "b"], np.ones(40, bool), 2.0)
        assert panels_of(figure) == 2
        assert "(1, 2, 3) mm" in words(figure)


class TestFiles:
    def test_a_dot_in_the_name_stays(self, tmp_path):
        figure = plot_series(series(), list("abc"), np.ones(40, bool))
        paths = save_figure(figure, tmp_path / "run.v2")
        assert [path.name for path in paths] == ["run.v2.png", "run.v2.pdf"]
        assert sorted(tmp_path.iterdir()) == sorted(paths)

    def test_the_same_figure_gives_the_same_bytes(self, tmp_path):
        for name in "ab":
            save_figure(plot_series(series(), list("abc"), np.ones(40, bool)), tmp_path / name)
        for kind in ("png", "pdf"):
            assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()

    def test_pdf_keeps_text_and_holds_no_date(self, tmp_path):
        _, pdf = save_figure(plot_series(series(), list("abc"), np.ones(40, bool)), tmp_path / "a")
        content = pdf.read_bytes()
        assert b"CreationDate" not in content
        assert b"/Subtype /Type0" in content or b"/Subtype /TrueType" in content
        assert b"/Type3" not in content

    def test_pdf_holds_one_font(self, tmp_path):
        figure = plot_series(
            series(), ["a", "b\N{MINUS SIGN}", "\N{GREEK SMALL LETTER ALPHA}"], np.ones(40, bool)
        )
        _, pdf = save_figure(figure, tmp_path / "a")
        assert pdf.read_bytes().count(b"/Subtype /Type0") == 1

    def test_png_has_150_dots_an_inch(self, tmp_path):
        png, _ = save_figure(plot_series(series(), list("abc"), np.ones(40, bool)), tmp_path / "a")
        assert int.from_bytes(png.read_bytes()[16:20], "big") == int(7.6 * 150)

    def test_a_folder_that_is_not_there(self, tmp_path):
        figure = plot_series(series(), list("abc"), np.ones(40, bool))
        with pytest.raises(OutputError, match="no"):
            save_figure(figure, tmp_path / "no" / "a")


def test_nobodys_style_is_changed_and_nothing_stays_open():
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context({"lines.linewidth": 9.0, "font.size": 30.0}):
        plot_map(a_map(), seed="PCC", center=CENTER)
        axes = plot_series(series(), list("abc"), np.ones(40, bool)).axes[0]
        assert mpl.rcParams["font.size"] == 30.0
        assert lines(axes)[0].get_linewidth() < 2
    assert plt.get_fignums() == []


def test_matplotlib_and_nilearn_wait_until_a_figure_is_asked_for():
    code = (
        "import sys, json, seedmap.figures;"
        "print(json.dumps([m for m in ('matplotlib', 'nilearn') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_a_volume_is_drawn_and_saved_without_nilearns_plotting(tmp_path):
    code = (
        "import sys, nibabel as nib, numpy as np;"
        "from seedmap.figures import plot_map, save_figure;"
        "image = nib.Nifti1Image(np.ones((9, 9, 9), np.float32), np.diag([9., 9, 9, 1]));"
        "save_figure(plot_map(image, seed='a', center=(0, 0, 0)), sys.argv[1]);"
        "slow = {'nilearn.plotting', 'sklearn', 'pandas', 'scipy.stats', 'matplotlib.pyplot'};"
        "print(*slow & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
