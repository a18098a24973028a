"""Strategies choose what they say; nilearn's presets choose what nilearn chooses."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedmap.confounds import ConfoundTable, read_confounds
from seedmap.denoising import Scrubbing, Strategy, named, read_strategy, strategy_names
from seedmap.errors import ConfoundsError, MissingFile, OptionError, TooFewFrames

SIZES = {"none": 0, "6P": 6, "9P": 9, "24P": 24, "27P": 27, "36P": 36}


@pytest.fixture(scope="module")
def fmriprep(data_folder):
    """A table that fMRIPrep 21 wrote, and its JSON."""
    path = data_folder / "confounds" / "test-v21_desc-confounds_timeseries.tsv"
    return read_confounds(path), json.loads(path.with_suffix(".json").read_text())


def table_of(**columns):
    return ConfoundTable(np.stack(list(columns.values()), axis=1), tuple(columns), "table.tsv")


def names_of(chosen):
    return [column.name for column in chosen.columns]


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_the_number_in_the_name_is_that_of_the_columns(fmriprep, name, size):
    chosen = named(name).choose(*fmriprep)
    assert len(chosen.columns) == size == chosen.table.values.shape[1]
    assert all(column.why for column in chosen.columns)
    assert np.isfinite(chosen.table.values).all()


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize("ending", ["", "_gsr"])
def test_every_strategy_reads_a_real_table(fmriprep, name, ending):
    if name == "scrubbing":
        pytest.skip("its thresholds drop all 30 frames of this table: see the next test")
    chosen = named(name + ending).choose(*fmriprep)
    assert chosen.censored["non-steady state"] == (0, 1, 2)
    if ending and name not in ("9P", "27P", "36P"):
        assert "global_signal" in names_of(chosen)


def test_a_strategy_that_drops_every_frame_is_refused(fmriprep):
    with pytest.raises(TooFewFrames, match="'scrubbing' drops all 30 frames"):
        named("scrubbing").choose(*fmriprep)


def nilearns(tmp_path, data_folder, name, **options):
    """Let nilearn choose from the same table."""
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    for ending in ("tsv", "json"):
        source = data_folder / "confounds" / f"test-v21_desc-confounds_timeseries.{ending}"
        shutil.copy(source, tmp_path / f"sub-1_task-rest_desc-confounds_timeseries.{ending}")
    desc = "smoothAROMAnonaggr" if name == "ica_aroma" else "preproc"
    space = "space-MNI152NLin6Asym"
    run = tmp_path / f"sub-1_task-rest_{space}_desc-{desc}_bold.nii.gz"
    run.touch()
    return load_confounds_strategy(str(run), denoise_strategy=name, **options)


@pytest.mark.parametrize("name", ["simple", "compcor", "ica_aroma"])
@pytest.mark.parametrize("gsr", [False, True])
def test_nilearns_presets_choose_what_nilearn_chooses(tmp_path, data_folder, fmriprep, name, gsr):
    options = {"demean": False}
    if gsr:
        options["global_signal"] = "basic"
    table, kept = nilearns(tmp_path, data_folder, name, **options)
    chosen = named(f"{name}_gsr" if gsr else name).choose(*fmriprep)
    assert sorted(names_of(chosen)) == sorted(table.columns)
    np.testing.assert_array_equal(np.flatnonzero(chosen.keep), kept)
    ours = chosen.table.values[:, [names_of(chosen).index(column) for column in table.columns]]
    np.testing.assert_allclose(ours, table.to_numpy(), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:All volumes were marked:RuntimeWarning")
@pytest.mark.parametrize(("fd", "dvars"), [(0.5, 3.0), (1.0, 1.5), (2.0, 2.0)])
@pytest.mark.parametrize("segment", [0, 2, 5])
def test_scrubbing_drops_what_nilearn_drops(tmp_path, data_folder, fmriprep, fd, dvars, segment):
    options = {"fd_threshold": fd, "std_dvars_threshold": dvars, "scrub": segment}
    _, kept = nilearns(tmp_path, data_folder, "scrubbing", **options)
    rules = Scrubbing(fd_threshold=fd, std_dvars_threshold=dvars, min_segment=segment)
    ours = Strategy(name="x", motion="full", wm_csf="full", cosines="with", scrubbing=rules)
    if not len(kept):
        with pytest.raises(TooFewFrames):
            ours.choose(*fmriprep)
    else:
        np.testing.assert_array_equal(np.flatnonzero(ours.choose(*fmriprep).keep), kept)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.integers(0, 6))
def test_no_segment_that_stays_is_short(displacement, least):
    table = table_of(framewise_displacement=np.array(displacement))
    rules = Scrubbing(fd_threshold=1.0, min_segment=least)
    dropped = np.zeros(len(displacement), dtype=bool)
    for _, frames in rules.dropped(table):
        dropped |= frames
    assert dropped[np.array(displacement) > 1].all()
    if dropped.any():
        stays = "".join("x" if gone else "." for gone in dropped)
        assert all(len(part) >= least for part in stays.split("x") if part)


def test_neighbours_of_a_jump_are_dropped_with_their_reason():
    displacement = np.zeros(10)
    displacement[5] = 3
    rules = Scrubbing(fd_threshold=0.5, before=1, after=2)
    chosen = Strategy(name="x", scrubbing=rules).choose(
        table_of(framewise_displacement=displacement)
    )
    assert np.flatnonzero(~chosen.keep).tolist() == [4, 5, 6, 7]
    assert chosen.censored["framewise_displacement > 0.5 mm"] == (5,)
    assert chosen.censored["1 before or 2 after such a frame"] == (4, 6, 7)


def test_cosines_come_with_compcor_or_where_nothing_else_takes_drifts(fmriprep):
    assert "cosine00" not in names_of(named("24P").choose(*fmriprep))
    assert "cosine00" in names_of(named("24P").choose(*fmriprep, high_passed=False))
    assert "cosine00" in names_of(named("acompcor").choose(*fmriprep))
    with pytest.raises(OptionError, match="CompCor's components"):
        Strategy(name="x", compcor="anat_combined", cosines="without")


def test_acompcor_takes_up_to_five_components_of_each_tissue(fmriprep):
    taken = names_of(named("acompcor").choose(*fmriprep))
    assert [n for n in taken if n.startswith("w_")] == [f"w_comp_cor_0{n}" for n in range(4)]
    assert [n for n in taken if n.startswith("c_")] == [f"c_comp_cor_0{n}" for n in range(3)]


def test_a_column_that_is_missing_is_named():
    table = table_of(trans_x=np.zeros(5), trans_y=np.zeros(5), trans_w=np.zeros(5))
    with pytest.raises(ConfoundsError, match=r"needs the column 'trans_z'.*near are trans_"):
        named("6P").choose(table)


def test_compcor_without_its_json_says_so(fmriprep):
    with pytest.raises(ConfoundsError, match="is the JSON beside the table"):
        named("compcor").choose(fmriprep[0])


def test_unknown_names_bring_near_ones():
    with pytest.raises(OptionError, match="near: 36P"):
        named("36PP")


def test_a_strategy_of_ones_own(tmp_path, fmriprep):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "base: 24P\ncolumns: [csf, white_matter]\nscrubbing: {fd_threshold: 5, after: 1}\n"
    )
    strategy = read_strategy(path)
    assert (strategy.name, strategy.motion, strategy.scrubbing.after) == ("mine", "full", 1)
    assert len(strategy.choose(*fmriprep).columns) == 26


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("motoin: full", "did you mean 'motion'"),
        ("motion: everything", "choose one of none, basic"),
        ("- motion", "holds a list"),
        ("a: [", "not YAML"),
        ("scrubbing: {fd: 1}", "has no 'fd'"),
        ("base: 35P", "strategy '35P' is not known"),
        ("scrubbing: {fd_threshold: -1}", "fd_threshold=-1"),
    ],
)
def test_a_wrong_strategy_file_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(OptionError, match=message):
        read_strategy(path)
    with pytest.raises(MissingFile):
        read_strategy(tmp_path / "other.yaml")
