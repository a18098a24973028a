"""Family-wise error of a run's maps."""

import json

import numpy as np
import pytest

import seedmap as sm
from seedmap.cli import main
from seedmap.datasets import make_phantom
from seedmap.errors import OptionError

SEED = "PCC=0,-52,18"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom"), voxel_size=12, n_frames=150)


def mapped(phantom, seeds=SEED, **options):
    options = {"confounds": phantom.confounds[0], "fwe": 200} | options
    return sm.seed_maps(phantom.func[0], seeds, **options)


@pytest.fixture(scope="module")
def maps(phantom):
    return mapped(phantom)


def test_corrected_p_follows_z_and_is_stricter_than_q(maps):
    z, pfwe, q = (maps.values("PCC", stat) for stat in ("z", "pfwe", "q"))
    known = np.isfinite(pfwe)
    assert np.isnan(pfwe[maps.near[0]]).all()
    order = np.argsort(np.abs(z[known]))
    assert (np.diff(pfwe[known][order]) <= 0).all()
    found = pfwe < 0.05
    assert 0 < found.sum() < (q < 0.05).sum()
    assert (np.abs(z[found]) > 3).all()
    assert pfwe[known].min() >= 1 / 201


def test_clusters_have_a_p_where_they_were_formed_alike(maps):
    found = maps.found_clusters("PCC", "z>3.29")
    p = [one.p_cluster for one in found]
    assert p == sorted(p)  # the largest first
    assert 0 < p[0] < 0.05
    assert all(np.isnan(one.p_cluster) for one in maps.found_clusters("PCC", "z>3"))


def test_null_seeds_of_a_seed_do_not_depend_on_other_seeds(phantom, maps):
    both = mapped(phantom, ["M=-40,-20,50", SEED])
    np.testing.assert_array_equal(both.familywise.largest_z[1], maps.familywise.largest_z[0])
    np.testing.assert_array_equal(both["PCC"].values("PCC", "pfwe"), maps.values("PCC", "pfwe"))


def test_a_seed_of_noise_has_no_significant_sample(phantom):
    rng = np.random.default_rng(3)
    seeds = [sm.SeriesSeed(f"n{k}", rng.standard_normal(150)) for k in range(20)]
    maps = mapped(phantom, seeds, fwe=100)
    false = sum((maps.values(name, "pfwe") < 0.05).any() for name in maps.seeds)
    assert false <= 4  # of 20 with a chance of 5 %: more in 0.3 %


def test_partial_correlations_are_corrected_too(phantom):
    maps = mapped(phantom, ["M=-40,-20,50", SEED], measure="partial", fwe=100)
    assert (maps.values("PCC", "pfwe") < 0.05).any()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fwe": 50}, "fwe=50; give True, or 100 null seeds"),
        ({"uncertainty": "naive"}, "fwe with uncertainty='naive'"),
        ({"measure": "spearman"}, "measure='spearman'"),
        ({"forming": 0}, r"clusters of \|z\| > 0 make no sense"),
    ],
)
def test_what_makes_no_sense_is_refused(phantom, options, says):
    with pytest.raises(OptionError, match=says):
        mapped(phantom, **options)


def test_command_line_writes_map_table_and_sidecar(phantom, tmp_path, capsys):
    words = ["run", phantom.func[0], "--seed", SEED, "--confounds", phantom.confounds[0]]
    assert main([*map(str, words), "--fwe", "--out", str(tmp_path)]) == 0
    assert "pfwe < 0.05 in" in capsys.readouterr().out
    (sidecar,) = tmp_path.glob("*_stat-pfwe_statmap.json")
    facts = json.loads(sidecar.read_text())
    assert (facts["NullSeeds"], facts["ClusterFormingZ"]) == (1000, 3.29)
    assert 3 < facts["LargestNullZ"] < 6
    (table,) = tmp_path.glob("*_clusters.tsv")
    head, first = (line.split("\t") for line in table.read_text().splitlines()[:2])
    assert head[-1] == "p_cluster"
    assert float(first[-1]) < 0.05
    (page,) = tmp_path.glob("*_report.html")
    assert "p of cluster" in page.read_text()
    assert "1,000 null seeds" in page.read_text()
