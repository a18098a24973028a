"""The map of a group at a click is that of ``seedmap group`` from the stored runs."""

import numpy as np
import pytest
import scipy

from seedmap import Sphere
from seedmap.connectivity.effects import ols
from seedmap.errors import OptionError, SeedError
from seedmap.explorer.engine import Superseded
from seedmap.explorer.engine.corrected import line_at
from seedmap.explorer.engine.group import LiveGroup
from seedmap.explorer.engine.model import GroupModel
from seedmap.explorer.engine.people import SeedDifference
from seedmap.group import Question, Shuffles, plan_group, run_group
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice, Member
from seedmap.group.stored import stored_members
from seedmap.group.tables import read_people
from seedmap.group.tested import conclude_contrast, prepare_contrast
from seedmap.parallel import Pool
from seedmap.shuffle import found, plan_shuffles, shuffle
from seedmap.store import open_stored

PCC, MOTOR = Sphere("PCC", (0, -52, 18), 12.0), Sphere("motor", (-38, -22, 52), 8.0)
HIGH = Sphere("high", (-38, -22, 68), 2.0)
pytestmark = pytest.mark.filterwarnings("ignore:.*of it lies outside the mask")

MODELS = {
    "mean": ("1", "mean"),
    "groups": ("group + age", "patient - control"),
    "age": ("group + age", "age"),
}


@pytest.fixture(scope="module")
def packed(stored_study):
    return pack_study(stored_study.root, Choice(""))


def live_group(packed, study, model="1", contrasts=("mean",), **question):
    members = [Member(label, ()) for label in study.labels]
    asked = Question(seed="", model=model, contrasts=contrasts, **question)
    people = GroupModel(members, asked, read_people(study.table))
    stored = [open_stored(path) for path in packed.paths]
    return LiveGroup(packed.pack, people, stored, n_jobs=2)


def group_of(study, seed, model, contrast, without=(), inference=None, **question):
    """Return what ``seedmap group --from-store`` makes: maps over the box of the grid."""
    place = ",".join(f"{value:g}" for value in seed.center)
    text = f"{seed.name}={place}:{seed.radius:g}"
    members, dropped, _, _ = stored_members(study.root, Choice(""), text)
    members = [one for one in members if one.label not in without]
    asked = Question(
        seed=seed.name, model=model, contrasts=(contrast,), inference=inference, **question
    )
    maps = run_group(
        plan_group(members, asked, read_people(study.table), dropped), pool=Pool(nprocs=1)
    )[contrast]
    return {
        stat: np.asarray(maps.space.unmask(maps.arrays[stat], outside=np.nan))
        for stat in ("effect", "t", "f", "z", "n", "dof")
        if stat in maps.arrays
    }


def away_from_the_seed(live, seed):
    """Say where people's maps are not large.

    At the seed the rounding of r, which is near 1, is large in its Fisher transform.
    """
    loaded, _ = live.people_maps(seed)
    close = np.abs(np.nanmean(loaded.maps, axis=0)) < 1.5
    assert close.mean() > 0.9
    return close


def same(answer, live, wanted, seed=PCC):
    """Whether an answer is a group map, away from the seed."""
    inside, close = live.pack.space.mask, away_from_the_seed(live, seed)
    effect, t = wanted["effect"][inside], wanted["t"][inside]
    assert (np.isnan(answer.effect) == np.isnan(effect)).all()
    np.testing.assert_allclose(answer.effect[close], effect[close], rtol=0, atol=2e-5)
    np.testing.assert_allclose(answer.t[close], t[close], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(answer.n, np.nan_to_num(wanted["n"][inside]))
    np.testing.assert_array_equal(np.isnan(answer.dof), np.isnan(wanted["dof"][inside]))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [PCC, MOTOR], ids=lambda seed: seed.name)
def test_maps_are_those_of_the_group_step(packed, stored_study, model, seed):
    formula, contrast = MODELS[model]
    live = live_group(packed, stored_study, formula, (contrast,), variance="pooled")
    answer = live.maps(seed)
    assert answer.lacking == (("06",) if seed is MOTOR else ())
    assert len(answer.used) == 10 - len(answer.lacking)
    same(answer, live, group_of(stored_study, seed, formula, contrast, variance="pooled"), seed)
    live.close()


def test_levels_are_compared_by_the_robust_t(packed, stored_study):
    formula, contrast = MODELS["groups"]
    live = live_group(packed, stored_study, formula, (contrast,))
    answer = live.maps(PCC)
    assert answer.statistic == "robust"
    assert not answer.has_mean
    shuffles = Shuffles(number=20, tfce=False, cluster_p=None)
    same(answer, live, group_of(stored_study, PCC, formula, contrast, inference=shuffles))
    live.close()


@pytest.mark.parametrize("model", MODELS)
def test_a_seed_that_three_people_lack_beside_people_absent_elsewhere(packed, stored_study, model):
    formula, contrast = MODELS[model]
    live = live_group(packed, stored_study, formula, (contrast,))
    answer = live.maps(HIGH)
    assert answer.lacking == ("03", "04", "06")
    shuffles = Shuffles(number=20, tfce=False, cluster_p=None)
    same(answer, live, group_of(stored_study, HIGH, formula, contrast, inference=shuffles), HIGH)
    live.close()


@pytest.mark.parametrize("variance", ["pooled", "robust"])
def test_an_f_is_that_of_the_group_step(packed, stored_study, variance):
    formula, contrast = "group + age", "[group, age]"
    live = live_group(packed, stored_study, formula, (contrast,), variance=variance)
    answer = live.maps(MOTOR)
    assert (answer.rows, answer.statistic, answer.has_mean) == (2, variance, False)
    assert np.isnan(answer.effect).all()
    shuffles = Shuffles(number=20, tfce=False, cluster_p=None) if variance == "robust" else None
    wanted = group_of(stored_study, MOTOR, formula, contrast, inference=shuffles, variance=variance)
    inside = live.pack.space.mask
    close = away_from_the_seed(live, MOTOR)
    np.testing.assert_allclose(answer.t[close], wanted["f"][inside][close], rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(answer.n, np.nan_to_num(wanted["n"][inside]))
    line = live.line(MOTOR)
    assert line.kind in ("f", "z")
    assert line.alone > 0
    live.close()


@pytest.mark.parametrize(
    ("formula", "contrast"),
    [*MODELS.values(), ("group + age", "[group, age]")],
    ids=lambda text: text,
)
def test_people_are_weighted_as_in_the_group_step(packed, stored_study, formula, contrast):
    """By their own standard errors; one of them has two runs."""
    live = live_group(packed, stored_study, formula, (contrast,), estimator="weighted")
    answer = live.maps(PCC)
    assert answer.statistic == "weighted"
    wanted = group_of(stored_study, PCC, formula, contrast, estimator="weighted")
    inside, close = live.pack.space.mask, away_from_the_seed(live, PCC)
    stat = wanted["f" if answer.rows > 1 else "t"][inside]
    np.testing.assert_array_equal(np.isnan(answer.t), np.isnan(stat))
    np.testing.assert_allclose(answer.t[close], stat[close], rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(answer.n, np.nan_to_num(wanted["n"][inside]))
    if answer.rows == 1:
        effect = wanted["effect"][inside]
        np.testing.assert_allclose(answer.effect[close], effect[close], rtol=0, atol=2e-5)
    which = live.in_slices((0, -52, 18))
    fresh = live_group(packed, stored_study, formula, (contrast,), estimator="weighted")
    np.testing.assert_allclose(fresh.maps(PCC, which=which).t, answer.t[which], rtol=1e-5)
    for one in (live, fresh):
        one.close()


def test_the_line_of_weighted_people_is_that_of_the_group_step(packed, stored_study):
    live = live_group(packed, stored_study, estimator="weighted")
    line, (loaded, used) = live.line(PCC), live.people_maps(PCC)
    assert loaded.variances.shape == loaded.maps.shape
    plan = live.model.plan(used)
    asked = Question(
        seed="s",
        contrasts=("mean",),
        estimator="weighted",
        inference=Shuffles(number=line.maxima.size - 1, tfce=False, cluster_p=None),
    )
    moves = plan_shuffles(plan.contrasts[0].tested, line.maxima.size - 1)
    prepared = prepare_contrast(plan.contrasts[0], moves, loaded, asked, None)
    assert prepared.statistic == "weighted"
    found_maxima = found(prepared.test, shuffle(prepared.test)).maxima["score"][:, 0]
    np.testing.assert_allclose(line.maxima, found_maxima, rtol=2e-6)
    live.close()


def test_a_person_who_is_switched_off_is_as_never_there(packed, stored_study):
    formula, contrast = MODELS["age"]
    live = live_group(packed, stored_study, formula, (contrast,))
    before = live.maps(PCC)
    off = frozenset({"02", "05"})
    answer = live.maps(PCC, off=off)
    wanted = group_of(stored_study, PCC, formula, contrast, without=off)
    same(answer, live, wanted)
    again = live.maps(PCC)
    np.testing.assert_array_equal(again.t, before.t)
    with pytest.raises(OptionError, match="people"):
        live.maps(PCC, off=frozenset(stored_study.labels[:8]))
    live.close()


def test_contrasts_are_switched_without_a_pass_over_the_pack(packed, stored_study, monkeypatch):
    live = live_group(packed, stored_study, "group + age", ("mean", "age"))
    live.maps(PCC)
    calls = []
    monkeypatch.setattr(
        "seedmap.explorer.engine.people.packed_products", lambda *a: calls.append(a)
    )
    answer = live.maps(PCC, 1)
    assert calls == []
    monkeypatch.undo()
    same(answer, live, group_of(stored_study, PCC, "group + age", "age"))
    live.close()


@pytest.mark.parametrize("kept", [True, False])
def test_slices_are_those_samples_of_the_whole_map(packed, stored_study, kept, monkeypatch):
    if not kept:
        monkeypatch.setattr("seedmap.explorer.engine.people.MOST_KEPT", 0)
    live = live_group(packed, stored_study, *MODELS["age"][:1], ("age",))
    which = live.in_slices((0, -52, 18))
    some = live.maps(PCC, which=which)
    every = live.maps(PCC)
    np.testing.assert_allclose(some.effect, every.effect[which], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(some.t, every.t[which], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(some.n, every.n[which])
    live.close()


def test_the_samples_of_slices_are_those_in_three_planes(packed, stored_study):
    live = live_group(packed, stored_study)
    space = packed.pack.space
    place = space.coordinates()[space.n_samples // 3]
    which = live.in_slices(place)
    voxels = np.argwhere(space.mask)
    middle = np.round(np.linalg.solve(space.affine[:3, :3], place - space.affine[:3, 3]))
    wanted = np.flatnonzero((voxels == middle).any(axis=1))
    np.testing.assert_array_equal(which, wanted)
    between = live.in_slices(place + space.voxel_sizes / 2 * 0.98)
    assert set(which) < set(between)  # colours are interpolated between two layers
    live.close()


def test_a_mean_without_absence_is_scipys(packed, stored_study):
    live = live_group(packed, stored_study)
    answer = live.maps(PCC)
    full = np.flatnonzero(answer.n == 10)[:400]
    values = np.stack([live.people_at(PCC, int(sample)).values for sample in full])
    wanted = scipy.stats.ttest_1samp(values.astype(np.float64), 0, axis=1).statistic
    np.testing.assert_allclose(answer.t[full], wanted, rtol=1e-5)
    live.close()


def test_each_persons_value_is_that_of_their_runs(packed, stored_study):
    live = live_group(packed, stored_study)
    members, *_ = stored_members(stored_study.root, Choice(""), "s=0,-52,18:12")
    at = live.pack.space.n_samples // 2
    position = np.flatnonzero(live.pack.space.mask)[at]
    found = dict(zip(*vars(live.people_at(PCC, at)).values(), strict=True))
    for member in members:
        maps = member.pieces[0].effect.maps
        wanted = maps.space.unmask(maps.values("s", "fisherz"), outside=np.nan).ravel()[position]
        assert found[member.label] == pytest.approx(wanted, abs=3e-5, nan_ok=True)
    top = live.people_at(PCC, int(np.flatnonzero(live.maps(PCC).n == 8)[0]))
    assert np.isnan(top.values).sum() == 2
    live.close()


def test_what_cannot_be_asked_is_one_line(packed, stored_study):
    live = live_group(packed, stored_study)
    with pytest.raises(SeedError, match="nobody has a voxel"):
        live.maps(Sphere("s", (80, 60, 70), 1.0))
    with pytest.raises(SeedError, match="outside the image"):
        live.maps(Sphere("s", (800, 60, 70), 1.0))
    with pytest.raises(Superseded):
        live.maps(PCC, superseded=lambda: True)
    live.close()
    live = live_group(packed, stored_study, estimator="weighted")
    with pytest.raises(
        OptionError, match="PCC less motor: a difference of two seeds has no standard"
    ):
        live.maps(SeedDifference(PCC, MOTOR))
    live.close()


@pytest.mark.parametrize("model", MODELS)
def test_the_corrected_line_is_that_of_the_group_step(packed, stored_study, model):
    """Of the same maps with the same shuffles: every maximum."""
    formula, contrast = MODELS[model]
    live = live_group(packed, stored_study, formula, (contrast,))
    line = live.line(PCC, looks=3)
    loaded, used = live.people_maps(PCC)
    assert used == live.maps(PCC).used
    plan = live.model.plan(used)
    shuffles = Shuffles(number=line.maxima.size - 1, tfce=False, cluster_p=None)
    asked = Question(seed="s", model=formula, contrasts=(contrast,), inference=shuffles)
    moves = plan_shuffles(plan.contrasts[0].tested, shuffles.number)
    prepared = prepare_contrast(plan.contrasts[0], moves, loaded, asked, None)
    null = shuffle(prepared.test)
    tested = conclude_contrast(prepared, [null], loaded, asked)
    np.testing.assert_allclose(line.maxima, tested.maxima["score"][:, 0], rtol=2e-6)
    assert line.samples == tested.family
    p = tested.arrays["pfwe"]
    score = np.abs(found(prepared.test, null).score)
    beyond = score > line.alone * (1 + 2e-5)
    assert np.nanmax(p[beyond], initial=0) <= 0.05
    assert np.nanmin(p[(score < line.alone * (1 - 2e-5)) & np.isfinite(p)]) > 0.05
    assert line.of_looks > line.alone
    live.close()


def test_looks_count_in_the_corrected_line():
    maxima = np.r_[9.0, np.arange(999.0)]
    assert line_at(maxima, 0.05) == 949
    assert line_at(maxima, 0.05 / 50) == 998
    assert line_at(maxima, 0.05 / 51) is None


@pytest.mark.parametrize("model", MODELS)
def test_the_difference_of_two_seeds_is_taken_within_each_person(packed, stored_study, model):
    formula, contrast = MODELS[model]
    live = live_group(packed, stored_study, formula, (contrast,), variance="pooled")
    wanted = SeedDifference(PCC, MOTOR)
    answer = live.maps(wanted)
    assert answer.lacking == ("06",)
    (one, _), (two, _) = live.people_maps(PCC, frozenset({"06"})), live.people_maps(MOTOR)
    tested = live.model.contrast(answer.used, 0).tested
    values = (one.maps - two.maps).astype(np.float64)
    found = ols(values, tested)
    enough = found.n >= 8
    np.testing.assert_array_equal(np.isfinite(answer.t), enough & np.isfinite(found.stat))
    np.testing.assert_allclose(answer.effect[enough], found.effect[enough], rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(answer.t[enough], found.stat[enough], rtol=1e-3, atol=1e-4)
    opposite = live.maps(SeedDifference(MOTOR, PCC))
    np.testing.assert_allclose(opposite.effect, -answer.effect, rtol=1e-5, atol=1e-7)
    near = live.near(wanted)
    np.testing.assert_array_equal(near, live.near(PCC) | live.near(MOTOR))
    same(live.maps(PCC), live, group_of(stored_study, PCC, formula, contrast, variance="pooled"))
    live.close()


def test_an_effect_of_8_bits_is_near_that_of_16(packed, stored_study):
    narrow = pack_study(stored_study.root, Choice(""), memory=1e5)
    lives = [live_group(one, stored_study) for one in (narrow, packed)]
    few, many = (live.maps(PCC) for live in lives)
    close = np.abs(many.effect) < 1.5
    assert close.mean() > 0.9
    np.testing.assert_allclose(few.effect[close], many.effect[close], rtol=0, atol=0.002)
    assert np.abs(few.effect[close] - many.effect[close]).max() > 2e-5
    for live in lives:
        live.close()
