"""Studies of phantoms: the same runs in every form that is asked for."""

import nibabel as nib
import numpy as np
import pytest

from seedmap.cli import main
from seedmap.datasets import make_study

SMALL = {"voxel_size": 12, "n_frames": 100}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    outputs = ("volume", "surface")
    return make_study(tmp_path_factory.mktemp("study"), 1, outputs=outputs, **SMALL)


def test_the_volume_is_what_it_is_alone(study, tmp_path):
    alone = make_study(tmp_path, 1, **SMALL)
    name = alone.phantom.func[0].relative_to(tmp_path)
    assert (study.folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert not list(tmp_path.rglob("*.gii"))


def test_forms_of_a_run_share_the_planted_signals(study):
    (left,) = study.folder.glob(
        "sub-01/func/sub-01_task-rest_hemi-L_space-fsaverage5_bold.func.gii"
    )
    series = np.stack([array.data for array in nib.load(left).darrays])
    labels = nib.load(study.atlases["surface"]["left"]).darrays[0].data
    signals = study.phantom.truth.signals[0]
    for index in np.unique(labels[labels > 0]):
        mean = series[:, labels == index].mean(axis=1)
        assert np.corrcoef(mean, signals[:, index - 1])[0, 1] > 0.8


def test_the_command_says_how_to_go_on(tmp_path, capsys):
    folder = tmp_path / "study"
    line = ["fetch", "phantom-study", "--n-subjects", "1", "--data-dir", str(folder)]
    small = ["--voxel-size", "12", "--frames", "100"]
    assert main([*line, *small, "--outputs", "surface"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Made 1 participant" in said
    assert "--seed PCC=-5,-52,24 --space fsaverage5" in said
    assert not list(folder.glob("sub-01/func/*.nii.gz"))
    assert len(list(folder.glob("sub-01/func/*hemi-?_space-fsaverage5_bold.func.gii"))) == 2
