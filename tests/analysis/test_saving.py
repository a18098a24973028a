"""Maps of any kind are written once, under their final names and with their whole sidecars."""

import json

import nibabel as nib
import numpy as np
import pytest

from seedmap.analysis import Maps, save_maps
from seedmap.images import Grid, write

R = np.array([0.9, 0.8, np.nan, -0.7, 0.1, 0.6], dtype=np.float32)


class OtherMaps(Maps):
    """Maps of two seeds that no run is behind: what a kind of maps has to give, and no more."""

    seeds = ("PCC", "own b")
    space = Grid.whole(np.diag([2.0, 2.0, 2.0, 1.0]), (6, 1, 1))
    near = (np.array([0]), np.array([], dtype=np.int64))
    stats = ("r", "z")
    codes = (4, 1)
    desc = ""

    def values(self, seed, stat="r"):
        return (1 if self.index(seed) == 0 else -1) * (R if stat == "r" else 10 * R)

    def file_stem(self, seed):
        return f"group_task-rest_seed-{seed.replace(' ', '')}"

    def sidecar(self, seed, stat):
        return {"Statistic": stat, "Mean": np.nan, "Command": "none"}

    def tables(self, seed):
        return {"people": f"{seed}\n1\n"}

    def center(self, seed):
        return (6.0, 0.0, 0.0) if seed == "PCC" else None


class Measured(OtherMaps):
    desc = "partial"


def written(folder):
    return sorted(path.name for path in folder.iterdir())


def test_names_and_sidecars_are_final(tmp_path):
    paths = save_maps(
        Measured(), tmp_path, desc="36P", facts={"Command": "mine", "More": 1}, described=False
    )
    names = [
        f"group_task-rest_seed-{seed}_stat-{stat}_desc-36Ppartial_statmap{end}"
        for seed in ("PCC", "ownb")
        for stat in "rz"
        for end in (".json", ".nii.gz")
    ]
    names += [f"group_task-rest_seed-{seed}_desc-36P_people.tsv" for seed in ("PCC", "ownb")]
    assert written(tmp_path) == sorted(path.name for path in paths) == sorted(names)
    sidecar = json.loads((tmp_path / names[2]).read_text())
    assert list(sidecar.items()) == [
        ("Statistic", "z"),
        ("Mean", None),
        ("Command", "mine"),
        ("More", 1),
    ]
    assert (tmp_path / names[-1]).read_text() == "own b\n1\n"
    image = nib.load(tmp_path / names[7])
    assert np.array_equal(image.get_fdata()[:, 0, 0], -10 * R, equal_nan=True)
    assert image.header.get_intent()[0] == "z score"
    assert (image.header["sform_code"], image.header["qform_code"]) == (4, 1)


def test_every_file_is_written_once(tmp_path, monkeypatch):
    opened = []
    atomic_file = write.atomic_file

    def counted(path):
        opened.append(path.name)
        return atomic_file(path)

    monkeypatch.setattr(write, "atomic_file", counted)
    paths = save_maps(OtherMaps(), tmp_path, desc="36P")
    assert sorted(opened) == sorted(path.name for path in paths) == written(tmp_path)
    assert len(paths) == 2 * (2 * 2 + 1) + 1


def test_a_folder_of_its_own_is_described(tmp_path):
    paths = OtherMaps().save(tmp_path)
    assert paths[-1] == tmp_path / "dataset_description.json"
    assert json.loads(paths[-1].read_text())["DatasetType"] == "derivative"
    assert not any("desc-" in path.name for path in paths)


def test_nothing_is_left_where_a_map_fails(tmp_path):
    class Failing(OtherMaps):
        def tables(self, seed):
            raise MemoryError

    with pytest.raises(MemoryError):
        save_maps(Failing(), tmp_path / "new")
    assert written(tmp_path) == []


def test_any_maps_have_clusters_images_and_figures(tmp_path):
    maps = OtherMaps()
    found = maps.found_clusters("PCC", "z>5")
    assert [(one.x, one.voxels, one.r) for one in found] == [
        (2.0, 1, pytest.approx(0.8)),
        (6.0, 1, pytest.approx(-0.7)),
        (10.0, 1, pytest.approx(0.6)),
    ]
    assert maps.found_clusters("PCC", 0.5, near=True)[0].voxels == 2
    assert maps.to_img("own b").get_fdata()[0, 0, 0] == np.float32(-0.9)
    (text,) = [
        one.get_text() for one in Measured().plot("PCC", "z>5").texts if "PCC" in one.get_text()
    ]
    assert text == "PCC, partial: r (|z| > 5)"
    paths = maps.save_clusters(tmp_path, 0.5)
    assert [path.name for path in paths[:2]] == [
        f"group_task-rest_seed-PCC_clusters{end}" for end in (".tsv", ".json")
    ]
    assert len(paths[0].read_text().splitlines()) == 4
