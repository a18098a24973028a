"""What is known before a run is read: numbers, concerns, and what is refused."""

import re

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm
from seedmap.analysis import Preflight
from seedmap.cli import main


def flight(**changed):
    good = {
        "source": "run.nii",
        "frames": 300,
        "kept": 300,
        "t_r": 2.0,
        "confounds": 12,
        "confound_rank": 12,
        "rank": 100,
        "white_dof": 60.0,
        "memory": 3e8,
    }
    return Preflight(**(good | changed))


def make_bold(folder, frames=120, t_r=2.0):
    rng = np.random.default_rng(0)
    values = (100 + rng.standard_normal((6, 6, 6, frames))).astype(np.float32)
    image = nib.Nifti1Image(values, np.diag([4.0, 4, 4, 1]))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((4, 4, 4, t_r))
    path = folder / "sub-01_task-rest_bold.nii.gz"
    nib.save(image, path)
    return path


def test_nothing_to_say_of_a_long_run_with_few_confounds():
    assert flight().minutes == 10
    assert flight().concerns() == ()
    assert flight().refusal() is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kept": 149}, "5.0 minutes are kept"),
        ({"confound_rank": 100}, "300 frames are kept for 100 directions of confounds"),
        ({"white_dof": 9.0}, "about 9 effective degrees of freedom are left"),
    ],
)
def test_each_rule_is_reported(changed, says):
    (concern,) = flight(**changed).concerns()
    assert says in concern


def test_minutes_are_not_reported_without_a_repetition_time():
    assert flight(t_r=None, kept=20).minutes is None
    assert not any("minutes" in concern for concern in flight(t_r=None, kept=40).concerns())


def test_too_few_degrees_of_freedom_are_refused():
    assert "2.9 effective degrees of freedom" in flight(white_dof=2.9).refusal()
    assert flight(white_dof=3.0).refusal() is None


def test_numbers_are_those_of_the_maps(tmp_path):
    seen = []
    confounds = np.random.default_rng(1).standard_normal((120, 5))
    confounds = np.hstack([confounds, confounds[:, :1]])
    keep = np.ones(120, bool)
    keep[7:11] = False
    maps = sm.seed_maps(
        make_bold(tmp_path),
        "s=8,8,8",
        confounds=confounds,
        sample_mask=keep,
        on_ready=seen.append,
    )
    (plan,) = seen
    assert (plan.frames, plan.kept, plan.t_r) == (120, 116, 2.0)
    assert (plan.confounds, plan.confound_rank) == (6, 5)
    assert plan.rank == maps.provenance.rank
    assert plan.white_dof == pytest.approx(maps.certainty.white_dof, rel=1e-5)
    assert plan.memory > 4 * 116 * maps.space.n_samples


def test_what_it_raises_stops_before_anything_is_read(tmp_path):
    def stop(plan):
        raise RuntimeError(plan.source)

    with pytest.raises(RuntimeError, match="bold"):
        sm.seed_maps(
            make_bold(tmp_path),
            "s=8,8,8",
            on_ready=stop,
            progress=lambda *_: pytest.fail("a frame was read"),
        )


def call(capsys, *arguments):
    code = main([str(one) for one in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_line_prints_the_plan_and_its_concerns(tmp_path, capsys):
    bold = make_bold(tmp_path)
    code, out, _ = call(
        capsys, "run", bold, "--seed", "s=8,8,8", "--no-figures", "--out", tmp_path / "out"
    )
    assert code == 0
    flat = " ".join(out.split())
    assert "120 of 120 frames (4.0 min); 0 confounds of rank 0" in flat
    assert re.search(
        r"cleaning leaves \d+ of \d+ degrees of freedom \(\d+ effective, were the noise white\)",
        flat,
    )
    assert "Mind 4.0 minutes are kept" in flat


def test_the_command_line_refuses_what_leaves_nothing_unless_forced(tmp_path, capsys):
    bold = make_bold(tmp_path)
    arguments = ["run", bold, "--seed", "s=8,8,8", "--no-figures", "--out", tmp_path / "out"]
    arguments += ["--high-pass", "0.01", "--low-pass", "0.0125", "--strategy", "none"]
    code, _, err = call(capsys, *arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert "effective degrees of freedom, fewer than the 3" in err
    assert "--force" in err
    assert not (tmp_path / "out").exists()
    code, out, _ = call(capsys, *arguments, "--force")
    assert code == 0
    assert (tmp_path / "out").exists()
    assert "no effective degrees of freedom are left" in out or "dof" in out
    assert call(capsys, *arguments, "--uncertainty", "none")[0] == 0
