"""Sources of results as BIDS URIs, and the way back from a URI to its file."""

import json

import pytest

from seedmap.bids import file_at, links_of

OURS = {"GeneratedBy": [{"Name": "seedmap"}]}


@pytest.fixture
def study(tmp_path):
    """Two data sets of one name, and a run that is in none."""
    for name in ("one", "two"):
        folder = tmp_path / name / "fmri prep"
        (folder / "sub-01" / "func").mkdir(parents=True)
        (folder / "dataset_description.json").write_text("{}")
        (folder / "sub-01" / "func" / "run.nii.gz").touch()
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "run.nii.gz").touch()
    return tmp_path


def described(folder, about):
    folder.mkdir(exist_ok=True)
    (folder / "dataset_description.json").write_text(json.dumps(about))
    return folder


def test_uris_lead_back_to_their_files(study):
    out = study / "results"
    links = links_of(out)
    runs = [study / name / "fmri prep/sub-01/func/run.nii.gz" for name in ("one", "two")]
    runs.append(study / "plain/run.nii.gz")
    uris = [links.uri(str(run)) for run in runs]
    assert uris == [
        "bids:fmriprep:sub-01/func/run.nii.gz",
        "bids:fmriprep2:sub-01/func/run.nii.gz",
        "bids:plain:run.nii.gz",
    ]
    assert links.known["fmriprep"] == "../one/fmri prep"
    described(out, OURS | {"DatasetLinks": links.known})
    assert [file_at(one, out) for one in uris] == [str(run) for run in runs]
    again = links_of(out)
    assert [again.uri(str(run)) for run in reversed(runs)] == uris[::-1]
    assert again.known == links.known


def test_what_is_no_file_stays_as_it_is(study):
    links = links_of(study / "results")
    for text in ("", "background", "image in memory", "/nowhere/run.nii.gz"):
        assert links.uri(text) == text
        assert file_at(text, study) == text
    assert file_at("bids:unknown:run.nii.gz", study) == "bids:unknown:run.nii.gz"


def test_files_of_the_folder_itself_need_no_link(study):
    links = links_of(study / "plain")
    assert links.uri(str(study / "plain" / "run.nii.gz")) == "bids::run.nii.gz"
    described(study / "plain", OURS)
    assert file_at("bids::run.nii.gz", study / "plain") == str(study / "plain/run.nii.gz")
    assert links.known == {}


def test_where_another_program_describes_the_folder_the_way_is_given(study):
    out = described(study / "theirs", {"Name": "theirs"})
    links = links_of(out)
    assert links.uri(str(study / "plain/run.nii.gz")) == "../plain/run.nii.gz"
    assert file_at("../plain/run.nii.gz", out) == str(study / "plain/run.nii.gz")


def test_addresses_are_understood_from_a_folder_of_a_participant(study):
    out = described(
        study / "out", OURS | {"DatasetLinks": {"preprocessed": (study / "plain").as_uri()}}
    )
    folder = out / "sub-01" / "func"
    folder.mkdir(parents=True)
    assert file_at("bids:preprocessed:run.nii.gz", folder) == str(study / "plain/run.nii.gz")
