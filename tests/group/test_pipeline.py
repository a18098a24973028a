"""`group_maps`: numbers against those of SciPy, what is planted is found, order and gaps."""

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

from seedmap.errors import OptionError, SeedmapWarning, SpaceMismatch
from seedmap.group import Shuffles, group_maps
from seedmap.group.peaks import find_group_clusters
from seedmap.group.words import methods_words, question_words
from seedmap.images import GROUP_STATISTICS

pytestmark = pytest.mark.filterwarnings("ignore::seedmap.errors.SeedmapWarning")
FEW = Shuffles(number=199, tfce=False)


def run(study, contrast="mean", model="1", **more):
    options = {"design": study.table, "inference": FEW, "n_jobs": 1} | more
    return group_maps(study.folder, "PCC", model=model, contrasts=contrast, **options)[contrast]


def test_the_mean_is_a_one_sample_t_test(study):
    found = run(study)
    wanted = stats.ttest_1samp(study.samples, 0)
    np.testing.assert_allclose(found.t, wanted.statistic, rtol=1e-5)
    np.testing.assert_allclose(found.p, wanted.pvalue, rtol=1e-4)
    np.testing.assert_allclose(found.effect, study.samples.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.r, np.tanh(study.samples.mean(axis=0)), rtol=1e-5)


def test_pooled_groups_are_a_two_sample_t_test(study):
    found = run(study, "patient - control", "group", variance="pooled")
    wanted = stats.ttest_ind(study.samples[:8], study.samples[8:])
    np.testing.assert_allclose(found.t, wanted.statistic, rtol=1e-4, atol=1e-5)
    g = found.effect / np.sqrt(
        (study.samples[:8].var(0, ddof=1) + study.samples[8:].var(0, ddof=1)) / 2
    )
    np.testing.assert_allclose(found.g, g * (1 - 3 / (4 * 14 - 1)), rtol=1e-4, atol=1e-6)


def test_groups_are_robust_by_default_and_slopes_are_not(study):
    robust = run(study, "patient - control", "group + age")
    assert robust.facts["Statistic"] == "robust"
    assert run(study, "age", "group + age").facts["Statistic"] == "pooled"
    np.testing.assert_allclose(robust.effect / robust.se, robust.t, rtol=1e-3, atol=1e-4)
    x, y = np.repeat([0.25, -0.25], 8), study.samples
    residual = y - y.mean(axis=0)
    mean_alone = run(study, "patient - control", "group")
    r = (x @ residual) / np.sqrt((x**2) @ residual**2) / 4
    np.testing.assert_allclose(mean_alone.t, r * np.sqrt(14 / (1 - r**2)), rtol=1e-3, atol=1e-4)


def test_a_factor_is_an_f_test(study):
    found = run(study, "site", "site", inference="parametric")
    parts = [study.samples[[i for i in range(16) if i % 3 == k]] for k in range(3)]
    wanted = stats.f_oneway(*parts)
    np.testing.assert_allclose(found.f, wanted.statistic, rtol=1e-4)
    np.testing.assert_allclose(found.p, wanted.pvalue, rtol=1e-3)
    assert "effect" not in found.stats


def test_the_planted_difference_is_found_in_place_and_nowhere_else(study):
    found = run(study, "patient - control", "group", inference=Shuffles(number=499))
    significant = found.space.unmask(found.significant())
    assert found.corrected == "ptfce"
    dice = 2 * (significant & study.blob).sum() / (significant.sum() + study.blob.sum())
    assert dice >= 0.6
    beyond = significant & ~nearly(study.blob)
    assert beyond.sum() == 0
    (first, *_) = find_group_clusters(found)
    assert study.blob[tuple((np.array(first.place) / 4).astype(int))]
    assert first.values["ci_low"] < 0.6 < first.values["ci_high"] + 0.2


def nearly(blob):
    from scipy.ndimage import binary_dilation

    return binary_dilation(blob, iterations=2)


def test_nothing_planted_nothing_found(tmp_path, make_study):
    false = 0
    for seed in range(6):
        one = make_study(tmp_path / str(seed), seed=100 + seed, planted=0.0)
        false += bool(
            run(one, "patient - control", "group", inference=Shuffles(number=99))
            .significant()
            .any()
        )
    assert false <= 2


def test_near_the_seed_is_left_out_of_the_mean_and_kept_in_differences(study):
    mean = run(study)
    near = study.near[study.mask]
    assert np.isnan(mean.pfwe[near]).all()
    assert np.isnan(mean.q[near]).all()
    assert np.isfinite(mean.pfwe[~near]).all()
    assert np.isfinite(mean.t[near]).all()
    assert mean.facts["SamplesInFamily"] == (~near).sum()
    assert mean.facts["SamplesNearSeedLeftOut"] == near.sum()
    assert np.isfinite(run(study, "patient - control", "group").pfwe).all()


def test_the_mean_of_changes_keeps_the_seed_s_place_and_is_no_correlation(own_study):
    """The first half of the people are made the first sessions of the second half."""
    half, by_label = len(own_study.maps) // 2, {}
    for path in sorted(own_study.folder.glob("sub-*/func/*.nii.gz")):
        number = int(path.name[4:6])
        session, label = ("ses-1", number) if number <= half else ("ses-2", number - half)
        name = path.name.replace(f"sub-{number:02d}_", f"sub-{label:02d}_{session}_")
        path.rename(path.with_name(name))
        by_label.setdefault(label, []).append(name)
    assert len(by_label) == half
    within = "ses-2 - ses-1"
    group = group_maps(own_study.folder, "PCC", within=within, inference=FEW)
    found, changes = group["mean"], own_study.samples[half:] - own_study.samples[:half]
    t = stats.ttest_1samp(changes, 0).statistic
    np.testing.assert_allclose(found.t, t, rtol=1e-4, atol=1e-4)
    assert np.isfinite(found.pfwe).all()
    np.testing.assert_allclose(found.arrays["r"], t / np.sqrt(t**2 + half - 1), atol=1e-4)
    assert found.facts["Within"] == within
    assert f"the change {within} of the connectivity of PCC" in question_words(group)
    assert f"Differences ({within}) of Fisher transforms within each of" in methods_words(group)[0]
    assert f"person&#39;s {within} (Fisher z)" in group.report()


def test_rows_of_the_table_in_any_order_give_the_same_bits(study, tmp_path):
    head, *rows = study.table.read_text().splitlines()
    other = tmp_path / "people.csv"
    mixed = [row.removeprefix("sub-") for row in rows[::-1]]
    other.write_text("\n".join([head, *mixed]).replace("\t", ",") + "\n")
    for contrast in ("patient - control", "age"):
        one = run(study, contrast, "group + age")
        two = run(study, contrast, "group + age", design=other)
        for stat in one.stats:
            np.testing.assert_array_equal(one.arrays[stat], two.arrays[stat])


def test_threads_change_nothing(study):
    one, two = (run(study, inference=Shuffles(number=99), n_jobs=n) for n in (1, 2))
    for stat in ("pfwe", "ptfce", "pmass"):
        np.testing.assert_array_equal(one.arrays[stat], two.arrays[stat])


def test_equal_errors_weigh_all_alike(study):
    plain = run(study, "age", "age", variance="pooled")
    weighted = run(study, "age", "age", estimator="weighted")
    np.testing.assert_allclose(weighted.t, plain.t, rtol=1e-4, atol=1e-5)
    assert plain.facts["PredictedGainOfWeighting"] == pytest.approx(1, abs=1e-6)
    assert {"tau2", "i2"} <= set(weighted.stats)


def test_unequal_errors_are_reported(own_study):
    for number in range(1, 5):
        path = next(own_study.folder.glob(f"sub-{number:02d}/func/*stat-se*"))
        image = nib.load(path)
        nib.Nifti1Image(np.asarray(image.dataobj) * 6, image.affine).to_filename(path)
    with pytest.warns(
        SeedmapWarning, match="with --estimator weighted its standard error would be"
    ):
        run(own_study)


def test_absent_people_are_counted_and_samples_with_few_left_out(own_study):
    clear = run(own_study, inference="parametric")
    for number in (2, 3, 4, 5):
        path = next(own_study.folder.glob(f"sub-{number:02d}/func/*stat-fisherz*"))
        image = nib.load(path)
        values = np.asarray(image.dataobj).copy()
        values[3] = 0
        if number == 2:
            values[5] = np.nan
        nib.Nifti1Image(values, image.affine).to_filename(path)
    found = run(own_study, inference="parametric")
    n, t = (found.space.unmask(found.arrays[stat]) for stat in ("n", "t"))
    inside = own_study.mask
    assert (n[3][inside[3]] == 12).all()
    assert np.isnan(t[3][inside[3]]).all()
    assert (n[5][inside[5]] == 15).all()
    rest = np.delete(own_study.maps, 1, axis=0)[:, 5][:, inside[5]]
    np.testing.assert_allclose(
        t[5][inside[5]], stats.ttest_1samp(rest.astype(float), 0).statistic, rtol=1e-4
    )
    same = clear.space.unmask(clear.t)[8][inside[8]]
    np.testing.assert_array_equal(t[8][inside[8]], same)


def test_another_grid_is_refused_with_the_names_of_both(own_study):
    path = next(own_study.folder.glob("sub-03/func/*stat-fisherz*"))
    nib.Nifti1Image(np.ones((3, 4, 5), np.float32), np.eye(4)).to_filename(path)
    with pytest.raises(
        SpaceMismatch, match=r"sub-03 lies on another grid .3 x 4 x 5, 1 x 1 x 1 mm.*sub-01"
    ):
        run(own_study)


def test_images_in_memory_and_a_table_of_maps_give_the_same(study, tmp_path):
    paths = {
        f"{i:02d}": next(study.folder.glob(f"sub-{i:02d}/func/*fisherz*")) for i in range(1, 17)
    }
    images = {label: nib.load(path) for label, path in paths.items()}
    rows = [f"{label}\t{path}" for label, path in paths.items()]
    table = tmp_path / "maps.tsv"
    table.write_text("\n".join(["participant_id\teffect", *rows]) + "\n")
    wanted = run(study, inference="parametric")
    for maps in (images, table, str(table)):
        found = group_maps(maps, "PCC", inference="parametric")["mean"]
        np.testing.assert_array_equal(found.t, wanted.t)
    with pytest.warns(SeedmapWarning, match="which samples are near the seed is not known"):
        group_maps(images, "PCC", inference="parametric")


def test_images_without_a_file_can_be_tested_and_saved(study, tmp_path):
    affine = np.diag([4.0, 4, 4, 1])
    images = {f"p{i}": nib.Nifti1Image(values, affine) for i, values in enumerate(study.maps)}
    group = group_maps(images, inference="parametric")
    np.testing.assert_allclose(
        group["mean"].t, stats.ttest_1samp(study.samples, 0).statistic, rtol=1e-5
    )
    names = {path.name for path in group.save(tmp_path)}
    assert "group_seed-seed_contrast-mean_stat-t_statmap.nii.gz" in names
    assert "<title>Maps over people" in group.report()


def test_weighting_needs_standard_errors(study):
    images = {
        f"{i:02d}": nib.load(next(study.folder.glob(f"sub-{i:02d}/func/*fisherz*")))
        for i in range(1, 17)
    }
    with pytest.raises(OptionError, match="'weighted' needs standard errors"):
        group_maps(images, "PCC", estimator="weighted")


def test_five_people_cannot_be_flipped(own_study):
    few = own_study.table.read_text().splitlines()[:6]
    own_study.table.write_text("\n".join(few) + "\n")
    with pytest.raises(OptionError, match="5 people can be shuffled in only 16 ways"):
        run(own_study)


def test_files_are_all_there_and_named(study, tmp_path):
    group = group_maps(
        study.folder,
        "PCC",
        design=study.table,
        model="group",
        contrasts=["mean", "DIFF=patient - control"],
        inference=Shuffles(number=99),
    )
    files = group.save(tmp_path / "group")
    assert all(path.is_file() for path in files)
    names = {path.name for path in files}
    first = "group_task-rest_space-S_res-4_seed-PCC"
    assert f"{first}_contrast-DIFF_stat-ptfce_desc-36P_statmap.nii.gz" in names
    assert f"{first}_contrast-mean_desc-36P_clusters.tsv" in names
    assert f"{first}_contrast-mean_desc-36P_nullmaxima.tsv" in names
    assert {path.name for path in (tmp_path / "group").iterdir()} == names
    used = (tmp_path / "group" / f"{first}_desc-36P_participants.tsv").read_text().splitlines()
    assert used[1].startswith("sub-01\tyes\tn/a\t")
    assert len(used) == 17
    back = nib.load(tmp_path / "group" / f"{first}_contrast-mean_stat-t_desc-36P_statmap.nii.gz")
    np.testing.assert_allclose(back.get_fdata()[study.mask], group["mean"].t, rtol=1e-6)
    nulls = np.loadtxt(
        tmp_path / "group" / f"{first}_contrast-mean_desc-36P_nullmaxima.tsv", skiprows=1
    )
    assert nulls.shape[0] == 100


def test_what_is_asked_by_wrong_names_is_said(study):
    group = group_maps(study.folder, "PCC", inference="parametric")
    with pytest.raises(OptionError, match="there is no contrast 'age'; there are mean"):
        group["age"]
    with pytest.raises(OptionError, match="these maps have no 'ptfce'"):
        group["mean"].values("PCC", "ptfce")
    with pytest.raises(AttributeError, match="no 'ptfce'"):
        group["mean"].ptfce  # noqa: B018
    assert set(group["mean"].stats) <= set(GROUP_STATISTICS)


def test_images_of_maps_can_be_had(study):
    found = run(study, inference="parametric")
    image = found.to_img("PCC", "t")
    assert image.header.get_intent()[0] == "t test"
    np.testing.assert_allclose(image.get_fdata()[study.mask], found.t, rtol=1e-6)
