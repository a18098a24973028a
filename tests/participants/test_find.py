"""Runs are found as fMRIPrep 1 to 25 names them; what is missing or fits twice is named."""

import json

import pytest

from seedmap.errors import MissingFile, OptionError
from seedmap.participants.find import Filters, find_participants, read_filter_file
from seedmap.participants.names import parse_name, uri

SPACE = "space-MNI152NLin2009cAsym"


@pytest.fixture
def dataset(tmp_path):
    """Make a data set of empty files."""

    def make(*names, root="fmriprep"):
        for name in names:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}" if name.endswith(".json") else "")
        return tmp_path / root

    return make


def only(found):
    (participant,) = found
    return participant


LAYOUTS = {
    "1.0": (
        "sub-01/func/sub-01_task-rest_bold_space-MNI152NLin2009cAsym_preproc.nii.gz",
        "sub-01/func/sub-01_task-rest_bold_space-MNI152NLin2009cAsym_brainmask.nii.gz",
        "sub-01/func/sub-01_task-rest_bold_confounds.tsv",
    ),
    "1.4": (
        f"sub-01/func/sub-01_task-rest_{SPACE}_desc-preproc_bold.nii.gz",
        f"sub-01/func/sub-01_task-rest_{SPACE}_desc-brain_mask.nii.gz",
        "sub-01/func/sub-01_task-rest_desc-confounds_regressors.tsv",
    ),
    "20.2": (
        f"sub-01/ses-a/func/sub-01_ses-a_task-rest_run-1_{SPACE}_res-2_desc-preproc_bold.nii.gz",
        f"sub-01/ses-a/func/sub-01_ses-a_task-rest_run-1_{SPACE}_res-2_desc-brain_mask.nii.gz",
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-1_desc-confounds_timeseries.tsv",
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-1_desc-confounds_timeseries.json",
    ),
    "25": (
        f"sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_{SPACE}_desc-preproc_bold.nii.gz",
        f"sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_{SPACE}_desc-brain_mask.nii.gz",
        "sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_desc-confounds_timeseries.tsv",
        "sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_hemi-L_space-fsaverage_bold.func.gii",
        "sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_desc-coreg_boldref.nii.gz",
    ),
    "confounds without part": (
        f"sub-01/func/sub-01_task-rest_part-mag_{SPACE}_desc-preproc_bold.nii.gz",
        f"sub-01/func/sub-01_task-rest_part-mag_{SPACE}_desc-brain_mask.nii.gz",
        "sub-01/func/sub-01_task-rest_desc-confounds_timeseries.tsv",
    ),
}


@pytest.mark.parametrize("names", LAYOUTS.values(), ids=LAYOUTS)
def test_the_layouts_of_fmriprep(dataset, names):
    root = dataset(*names)
    participant = only(find_participants(root, Filters()))
    assert participant.problems == ()
    (run,) = participant.runs
    assert [run.bold, run.mask, run.confounds] == [root / name for name in names[:3]]
    assert run.space == "MNI152NLin2009cAsym"


def test_two_spaces_are_not_guessed_between(dataset):
    names = [n.replace(SPACE, s) for s in (SPACE, "space-T1w") for n in LAYOUTS["1.4"]]
    root = dataset(*names)
    (problem,) = only(find_participants(root, Filters())).problems
    assert "2 files fit" in problem
    assert "choose one with --space" in problem
    chosen = Filters(entities=(("space", ("T1w",)),))
    assert only(find_participants(root, chosen)).runs[0].space == "T1w"


def test_two_tables_of_confounds_are_named(dataset):
    extra = "sub-01/func/sub-01_task-rest_desc-confounds_timeseries.tsv"
    root = dataset(*LAYOUTS["1.4"], extra)
    (problem,) = only(find_participants(root, Filters())).problems
    assert "2 files fit as its table of confounds" in problem
    assert extra.rpartition("/")[2] in problem


@pytest.mark.parametrize(("left_out", "said"), [(1, "no brain mask"), (2, "no table of confounds")])
def test_a_missing_file_is_named(dataset, left_out, said):
    names = [name for number, name in enumerate(LAYOUTS["1.4"]) if number != left_out]
    root = dataset(*names)
    participant = only(find_participants(root, Filters()))
    assert participant.runs == ()
    assert said in participant.problems[0]
    assert only(find_participants(root, Filters(), needs_confounds=False, needs_mask=False)).runs


def test_surfaces_alone_are_said_to_be_so(dataset):
    root = dataset(
        "sub-01/func/sub-01_task-rest_hemi-L_space-fsaverage5_desc-preproc_bold.func.gii"
    )
    assert "only surface (GIFTI) series" in only(find_participants(root, Filters())).problems[0]


def test_participants_by_label(dataset):
    root = dataset(*LAYOUTS["1.4"], *[n.replace("01", "02") for n in LAYOUTS["1.4"]])
    found = find_participants(root, Filters(participants=("sub-02", "03")))
    assert [one.label for one in found] == ["02", "03"]
    assert "sub-03 is not in" in found[1].problems[0]


def test_a_folder_that_is_no_data_set(tmp_path, dataset):
    root = dataset(*LAYOUTS["1.4"], root="study/derivatives/fmriprep")
    with pytest.raises(MissingFile, match=r"did you mean .*derivatives/fmriprep"):
        find_participants(root.parent.parent, Filters())
    with pytest.raises(MissingFile, match="is not there"):
        find_participants(tmp_path / "nowhere", Filters())


def test_a_repetition_time_is_inherited(dataset):
    root = dataset(*LAYOUTS["1.4"])
    (root / "task-rest_bold.json").write_text('{"RepetitionTime": 0.8}')
    (root / "task-film_bold.json").write_text('{"RepetitionTime": 9}')
    run = only(find_participants(root, Filters())).runs[0]
    assert run.t_r == 0.8
    assert root / "task-rest_bold.json" in run.files


def test_filter_files_are_those_of_fmriprep(tmp_path):
    path = tmp_path / "filter.json"
    path.write_text(json.dumps({"bold": {"session": ["a", "b"], "run": 1, "acquisition": None}}))
    assert read_filter_file(path) == (("ses", ("a", "b")), ("run", ("1",)), ("acq", ()))
    path.write_text('{"t1w": {}}')
    with pytest.raises(OptionError, match="not a BIDS filter file"):
        read_filter_file(path)


def test_names_that_are_no_bids_names(tmp_path):
    for name in ("README.md", "sub-01.html", "sub-01_bold_extra_words.nii.gz", "bold.nii.gz"):
        assert parse_name(tmp_path / name) is None
    assert uri(tmp_path / "sub-01" / "a.nii", tmp_path) == "bids:preprocessed:sub-01/a.nii"
