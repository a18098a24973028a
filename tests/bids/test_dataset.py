"""Runs are found as fMRIPrep 1 to 25 names them; what is missing or fits twice is named."""

import json

import pytest

from seedmap.bids import Filters, find_participants, modern_name, parse_name, read_filter_file, uri
from seedmap.errors import MissingFile, OptionError

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
    "20.2 without session": (
        f"sub-01/func/sub-01_task-rest_{SPACE}_desc-preproc_bold.nii.gz",
        f"sub-01/func/sub-01_task-rest_{SPACE}_desc-brain_mask.nii.gz",
        "sub-01/func/sub-01_task-rest_desc-confounds_timeseries.tsv",
    ),
    "25": (
        f"sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_{SPACE}_desc-preproc_bold.nii.gz",
        f"sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_{SPACE}_desc-brain_mask.nii.gz",
        "sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_desc-confounds_timeseries.tsv",
        "sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_hemi-L_space-fsaverage_bold.func.gii",
        "sub-01/func/sub-01_task-rest_dir-AP_run-01_part-mag_desc-coreg_boldref.nii.gz",
    ),
    "1.0, denoised by AROMA, too": (
        "sub-01/func/sub-01_task-rest_bold_space-MNI152NLin2009cAsym_preproc.nii.gz",
        "sub-01/func/sub-01_task-rest_bold_space-MNI152NLin2009cAsym_brainmask.nii.gz",
        "sub-01/func/sub-01_task-rest_bold_confounds.tsv",
        "sub-01/func/sub-01_task-rest_bold_space-MNI152NLin2009cAsym_variant-smoothAROMAnonaggr_preproc.nii.gz",
        "sub-01/func/sub-01_task-rest_bold_space-T1w_label-aseg_roi.nii.gz",
        "sub-01/func/sub-01_task-rest_bold_space-fsaverage5.L.func.gii",
    ),
    "every entity": (
        f"sub-01/func/sub-01_task-rest_acq-x_ce-y_rec-z_dir-AP_run-1_{SPACE}_desc-preproc_bold.nii.gz",
        f"sub-01/func/sub-01_task-rest_acq-x_ce-y_rec-z_dir-AP_run-1_{SPACE}_desc-brain_mask.nii.gz",
        "sub-01/func/sub-01_task-rest_acq-x_ce-y_rec-z_dir-AP_run-1_desc-confounds_timeseries.tsv",
        "sub-01/func/sub-01_task-rest_acq-x_ce-y_rec-z_dir-AP_run-1_space-orig_desc-hmc_boldref.nii.gz",
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


REST = "sub-01/func/sub-01_task-rest"
SURFACES = {
    "1.0": (
        f"{REST}_bold_space-fsaverage5.L.func.gii",
        f"{REST}_bold_space-fsaverage5.R.func.gii",
        f"{REST}_bold_confounds.tsv",
    ),
    "1.3": (
        f"{REST}_space-fsaverage5_hemi-L.func.gii",
        f"{REST}_space-fsaverage5_hemi-R.func.gii",
        f"{REST}_desc-confounds_regressors.tsv",
    ),
    "20.0": (
        f"{REST}_space-fsaverage5_hemi-L_bold.func.gii",
        f"{REST}_space-fsaverage5_hemi-R_bold.func.gii",
        f"{REST}_desc-confounds_timeseries.tsv",
    ),
    "25": (
        f"{REST}_hemi-L_space-fsaverage5_bold.func.gii",
        f"{REST}_hemi-R_space-fsaverage5_bold.func.gii",
        f"{REST}_desc-confounds_timeseries.tsv",
    ),
}
DENSE = {
    "1.3": (f"{REST}_bold.dtseries.nii", f"{REST}_desc-confounds_regressors.tsv"),
    "20.0": (f"{REST}_space-fsLR_bold.dtseries.nii", f"{REST}_desc-confounds_timeseries.tsv"),
    "25": (
        f"{REST}_space-fsLR_den-91k_bold.dtseries.nii",
        f"{REST}_desc-confounds_timeseries.tsv",
    ),
}
FSAVERAGE5 = Filters(entities=(("space", ("fsaverage5",)),))


@pytest.mark.parametrize("names", SURFACES.values(), ids=SURFACES)
@pytest.mark.parametrize("volumes", [(), LAYOUTS["1.4"][:2]], ids=["alone", "beside volumes"])
def test_two_hemispheres_are_one_run(dataset, names, volumes):
    root = dataset(*names, *volumes)
    participant = only(find_participants(root, FSAVERAGE5))
    assert participant.problems == ()
    (run,) = participant.runs
    left, right, table = (root / name for name in names)
    assert run.series == {"left": left, "right": right}
    assert (run.name, run.space, run.mask) == ("sub-01_task-rest", "fsaverage5", None)
    assert run.confounds == table
    assert run.files == (left, right, table)


@pytest.mark.parametrize("names", DENSE.values(), ids=DENSE)
def test_grayordinates_are_found(dataset, names):
    root = dataset(*names)
    (run,) = only(find_participants(root, Filters())).runs
    assert run.series == root / names[0]
    assert run.confounds == root / names[1]
    assert run.mask is None


def test_volumes_are_meant_unless_a_space_or_extension_says_otherwise(dataset, tmp_path):
    root = dataset(*LAYOUTS["1.4"][:2], *SURFACES["25"], DENSE["25"][0])

    def found(*entities):
        return only(find_participants(root, Filters(entities=entities))).runs[0].bold.name

    assert found().endswith("_desc-preproc_bold.nii.gz")
    assert found(("space", ("fsLR",))).endswith(".dtseries.nii")
    assert found(("space", ("fsaverage5",))).endswith("hemi-L_space-fsaverage5_bold.func.gii")
    path = tmp_path / "filter.json"
    path.write_text('{"bold": {"extension": "dtseries.nii"}}')
    assert found(*read_filter_file(path)).endswith(".dtseries.nii")


def test_surfaces_of_two_meshes_are_not_guessed_between(dataset):
    other = [name.replace("fsaverage5", "fsnative") for name in SURFACES["25"][:2]]
    (problem,) = only(find_participants(dataset(*SURFACES["25"], *other), Filters())).problems
    assert "2 files fit" in problem
    assert "hemi-L_space-fsnative_bold.func.gii with sub-01" in problem


def test_a_hemisphere_that_is_there_twice_is_named(dataset):
    (problem,) = only(
        find_participants(dataset(*SURFACES["25"], SURFACES["20.0"][0]), Filters())
    ).problems
    assert "3 files fit" in problem


def test_one_hemisphere_is_a_run(dataset):
    root = dataset(*SURFACES["25"][1:])
    (run,) = only(find_participants(root, Filters())).runs
    assert run.series == root / SURFACES["25"][1]


def test_surfaces_that_are_given_belong_to_the_run(dataset, tmp_path):
    given = {side: tmp_path / f"{side}.surf.gii" for side in ("left", "right")}
    root = dataset(*SURFACES["25"][1:], *LAYOUTS["1.4"][:2])
    with pytest.raises(MissingFile, match=r"left.surf.gii: this surface is not there"):
        find_participants(root, FSAVERAGE5, surfaces=given)
    for path in given.values():
        path.touch()
    (run,) = only(find_participants(root, FSAVERAGE5, surfaces=given)).runs
    assert run.surfaces == (("right", given["right"]),)
    assert given["right"] in run.files
    (problem,) = only(find_participants(root, Filters(), surfaces=given)).problems
    assert "is a volume; choose surfaces with --space" in problem


def test_a_series_of_aroma_is_no_surface(dataset):
    root = dataset(*SURFACES["25"])
    (problem,) = only(find_participants(root, Filters(desc="smoothAROMAnonaggr"))).problems
    assert "no series fits desc-smoothAROMAnonaggr" in problem
    assert "hemi-L_space-fsaverage5_bold.func.gii" in problem


def test_echoes_beside_their_combination_are_not_taken_for_runs(dataset):
    echoes = [f"{REST}_echo-{number}_desc-preproc_bold.nii.gz" for number in (1, 2, 3)]
    root = dataset(*LAYOUTS["20.2 without session"], *echoes)
    (problem,) = only(find_participants(root, Filters())).problems
    assert "4 files fit" in problem
    chosen = Filters(entities=(("space", ("MNI152NLin2009cAsym",)),))
    assert len(only(find_participants(root, chosen)).runs) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{REST}_hemi-L_space-fsaverage5_bold.json", None),  # which `open_run` reads
        (f"{REST}_hemi-R_space-fsaverage5_bold.func.json", 1.5),
        (f"{REST}_hemi-R_space-fsaverage5_bold.json", 1.5),
        (f"{REST}_{SPACE}_desc-preproc_bold.json", 1.5),
        ("task-rest_bold.json", 1.5),
        ("sub-01/func/sub-01_task-film_bold.json", None),
    ],
)
def test_the_repetition_time_of_surfaces(dataset, name, value):
    root = dataset(*SURFACES["25"])
    (root / name).write_text('{"RepetitionTime": 1.5}')
    (run,) = only(find_participants(root, Filters())).runs
    assert run.t_r == value
    assert (root / name in run.files) == ("film" not in name)


@pytest.mark.parametrize("content", ["{}", "{", '{"RepetitionTime": "two"}'])
def test_a_json_that_does_not_help_is_still_an_input(dataset, content):
    """Otherwise nobody would notice when it is mended."""
    root = dataset(*LAYOUTS["1.4"])
    path = root / LAYOUTS["1.4"][0].replace(".nii.gz", ".json")
    path.write_text(content)
    (run,) = only(find_participants(root, Filters())).runs
    assert run.t_r is None
    assert path in run.files


def test_forms_that_state_two_repetition_times_give_none(dataset):
    root = dataset(*SURFACES["25"])
    for space, t_r in ((SPACE, 1.5), ("space-T1w", 2)):
        path = root / f"{REST}_{space}_desc-preproc_bold.json"
        path.write_text(json.dumps({"RepetitionTime": t_r}))
    assert only(find_participants(root, Filters())).runs[0].t_r is None


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "sub-01_task-rest_bold_space-fsaverage5.L.func.gii",
            "sub-01_task-rest_hemi-L_space-fsaverage5_bold.func.gii",
        ),
        (
            "sub-01_task-rest_space-fsaverage5_hemi-L.func.gii",
            "sub-01_task-rest_hemi-L_space-fsaverage5_bold.func.gii",
        ),
        (
            "sub-01_task-rest_bold_space-MNI152_variant-smoothAROMAnonaggr_preproc.nii.gz",
            "sub-01_task-rest_space-MNI152_desc-smoothAROMAnonaggr_bold.nii.gz",
        ),
        (
            "sub-01_task-rest_bold.dtseries.nii",
            "sub-01_task-rest_bold.dtseries.nii",
        ),
        ("mine.nii.gz", "mine.nii.gz"),
    ],
)
def test_old_names_in_the_form_of_today(tmp_path, old, new):
    assert modern_name(tmp_path / old) == new
    assert modern_name(tmp_path / new) == new
