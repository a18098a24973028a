"""People shuffled on the workers of a scheduler, and p corrected over contrasts."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from seedmap.cli import main
from seedmap.errors import OptionError
from seedmap.group import Shuffles, group_maps, spread
from seedmap.group.spread import shuffle_on
from seedmap.parallel import Pool
from seedmap.shuffle import Scores, Shuffling, plan_shuffles, pooled, shuffle, split_design

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def workers(dask, scheduler):
    """Start two workers; return the number of the process that started them."""
    with dask("worker", "--nthreads", "1", "--nworkers", "2", scheduler) as process:
        yield process.pid


@pytest.fixture
def test(make_test):
    return make_test(1500)


@pytest.fixture(scope="module")
def make_test():
    def made(number):
        maps = np.random.default_rng(0).normal(size=(20, 6000)).astype(np.float32)
        mean = split_design(np.ones((20, 1)), [1])
        plan = plan_shuffles(mean, number)
        scores = Scores(np.full(6000, 19.0))
        return Shuffling(pooled(maps, mean, plan, scores), plan)

    return made


def same(one, other):
    np.testing.assert_array_equal(one.reached, other.reached)
    assert one.maxima.keys() == other.maxima.keys()
    for name, maxima in one.maxima.items():
        np.testing.assert_array_equal(maxima, other.maxima[name])


def test_threads_and_ranges_give_the_same_bits(test, monkeypatch):
    whole = shuffle(test)
    same(shuffle(test, n_jobs=2), whole)
    done = []
    same(shuffle_on(test, Pool(nprocs=2), done.append), whole)
    assert done[-1] == 1501
    spans = spread._spans(test)
    assert spans == [(0, 1501)]
    monkeypatch.setattr(spread, "TASK", 1e-9)
    assert spread._spans(test) == [(0, 512), (512, 1024), (1024, 1501)]


@pytest.mark.slow
def test_a_scheduler_gives_the_same_bits_and_does_without_a_worker_that_is_killed(
    scheduler, workers, workers_of, make_test, monkeypatch
):
    test = make_test(60_000)
    whole = shuffle(test, n_jobs=2)
    monkeypatch.setattr(spread, "TASK", 1e-9)
    done = []
    same(shuffle_on(test, Pool(dask_scheduler=scheduler), done.append), whole)
    assert len(done) == len(spread._spans(test)) > 100
    killed = []

    def kill():
        while len(killed) < 2 and len(done) < 100:
            if len(done) > 10 + 30 * len(killed):
                victim = workers_of(workers)[0]
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            time.sleep(0.01)

    done.clear()
    thread = threading.Thread(target=kill)
    thread.start()
    same(shuffle_on(test, Pool(dask_scheduler=scheduler), done.append), whole)
    thread.join()
    assert len(killed) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("workers")
def test_the_command_on_a_scheduler_writes_the_same_maps(scheduler, study, tmp_path):
    line = ["group", str(study.folder), "--seed", "PCC", "--shuffles", "300"]
    assert main([*line, "--out", str(tmp_path / "here")]) == 0
    away = ["--dask-scheduler", scheduler, "--out", str(tmp_path / "there")]
    assert main([*line, *away]) == 0
    here, there = (
        {
            path.name: path.read_bytes()
            for path in (tmp_path / name).iterdir()
            if path.suffix in (".gz", ".tsv")
        }
        for name in ("here", "there")
    )
    assert len(here) > 15
    assert here == there


def test_a_scheduler_that_is_not_there_is_one_line(study, tmp_path, capsys):
    pytest.importorskip("distributed")
    line = ["group", str(study.folder), "--seed", "PCC", "--dask-scheduler", "tcp://127.0.0.1:9"]
    assert main([*line, "--out", str(tmp_path / "out")]) == 2
    assert "nobody answers" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


CONTRASTS = ["patient - control", "age"]


def both(study, over, contrasts=CONTRASTS, **options):
    return group_maps(
        study.folder,
        "PCC",
        design=study.table,
        model="group + age",
        contrasts=contrasts,
        inference=Shuffles(number=499, correct_over=over, **options),
        n_jobs=1,
    )


def test_p_over_contrasts_are_those_of_the_smallest_rank(study):
    apart, over = both(study, "samples"), both(study, "contrasts")
    for kind, stat in (("score", "pfwe"), ("tfce", "ptfce")):
        nulls = [apart[one].maxima[kind][:, 0] for one in CONTRASTS]
        ranks = [(null[None] >= null[:, None] * (1 - 1e-5)).mean(axis=1) for null in nulls]
        smallest = np.minimum(*ranks)
        for one in CONTRASTS:
            p = apart[one].arrays[stat].astype(np.float64)
            known = np.isfinite(p)
            wanted = (smallest[None] <= p[known][:, None] * (1 + 1e-5)).mean(axis=1)
            np.testing.assert_allclose(over[one].arrays[stat][known], wanted, atol=1e-6)
            assert (over[one].arrays[stat][known] >= p[known] - 1e-6).all()
    # twice as many questions: a p is at most doubled
    p, q = (g["age"].pfwe[np.isfinite(g["age"].pfwe)] for g in (apart, over))
    assert (q <= 2 * p + 1e-6).all()
    assert over["age"].facts["CorrectedOver"] == "contrasts"
    assert "2 contrasts were looked at; p are corrected over all of them" in over.report()


def test_contrasts_that_are_shuffled_in_other_ways_are_refused(study):
    with pytest.raises(
        OptionError, match="'patient - control' and 'mean' are shuffled in other ways"
    ):
        both(study, "contrasts", ["patient - control", "mean"])
    found = both(study, "contrasts", ["patient - control", "mean"], kind="both", tfce=False)
    assert set(found) == {"patient - control", "mean"}
