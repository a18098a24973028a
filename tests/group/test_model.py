"""Formulas, designs and contrasts: against means and slopes worked out directly."""

import numpy as np
import pytest

from seedmap.connectivity.effects import ols
from seedmap.errors import OptionError
from seedmap.group.checks import check_contrast, check_design, concerns, inflation
from seedmap.group.formula import parse_contrast, parse_formula, words_of
from seedmap.group.model import build_design, read_contrast

RNG = np.random.default_rng(0)
GROUP = ["patient"] * 5 + ["control"] * 9
SITE = [*"112233112", *"33112"]
AGE = RNG.normal(40, 9, 14)
TABLE = {
    "group": GROUP,
    "site": SITE,
    "age": [f"{a:.6f}" for a in AGE],
    "dose": [f"{d:.9f}" for d in RNG.normal(size=14)],
}
PEOPLE = [f"{i:02d}" for i in range(14)]
Y = RNG.normal(size=(14, 7))


def design_of(text, table=TABLE):
    return build_design(parse_formula(text), table.__getitem__, PEOPLE)


def effect_of(model, contrast, y=Y):
    return ols(y, read_contrast(contrast, design_of(model)).tested)


def mean_of(rows):
    return Y[np.array(rows)].mean(axis=0)


def test_products_are_written_out():
    assert parse_formula("a*b").terms == parse_formula("a + b + a:b").terms
    assert parse_formula("b:a + a + b").terms[-1] == parse_formula("a*b").terms[-1][::-1]
    assert not parse_formula("a - 1").intercept
    assert parse_formula("1").terms == ()


def test_levels_are_compared_by_their_means():
    patients = mean_of([g == "patient" for g in GROUP])
    controls = mean_of([g == "control" for g in GROUP])
    for model in ("group", "group - 1"):
        np.testing.assert_allclose(
            effect_of(model, "patient - control").effect, patients - controls, atol=1e-12
        )
        np.testing.assert_allclose(effect_of(model, "patient").effect, patients, atol=1e-12)
        np.testing.assert_allclose(
            effect_of(model, "mean").effect, (patients + controls) / 2, atol=1e-12
        )
        np.testing.assert_allclose(
            effect_of(model, "group").effect, controls - patients, atol=1e-12
        )


def test_the_mean_is_that_of_the_average_person_whatever_the_covariates():
    np.testing.assert_allclose(effect_of("age + dose", "mean").effect, Y.mean(axis=0), atol=1e-12)


def test_a_slope_is_that_of_the_raw_column():
    raw = np.column_stack([np.ones(14), AGE])
    slope = np.linalg.lstsq(raw, Y, rcond=None)[0][1]
    np.testing.assert_allclose(effect_of("age", "age").effect, slope, atol=1e-6)


def test_slopes_of_groups_and_their_difference():
    slopes = {}
    for level in ("patient", "control"):
        rows = np.array([g == level for g in GROUP])
        raw = np.column_stack([np.ones(rows.sum()), AGE[rows]])
        slopes[level] = np.linalg.lstsq(raw, Y[rows], rcond=None)[0][1]
    by = effect_of("group*age", "age:patient - age:control").effect
    np.testing.assert_allclose(by, slopes["patient"] - slopes["control"], atol=1e-6)
    np.testing.assert_allclose(effect_of("group*age", "age:group").effect, -by, atol=1e-9)
    np.testing.assert_allclose(
        effect_of("group*age", "age:control").effect, slopes["control"], atol=1e-6
    )


def test_three_levels_give_the_f_of_a_one_way_analysis():
    from scipy.stats import f_oneway

    parts = [Y[[s == level for s in SITE]] for level in "123"]
    wanted = f_oneway(*parts).statistic
    for contrast in ("site", "[site[1] - site[2], site[2] - site[3]]"):
        np.testing.assert_allclose(effect_of("C(site)", contrast).stat, wanted, rtol=1e-10)


def test_weights_of_levels():
    means = [mean_of([s == level for s in SITE]) for level in "123"]
    found = effect_of("C(site)", "0.5*site[1] + 0.5*site[2] - site[3]").effect
    np.testing.assert_allclose(found, (means[0] + means[1]) / 2 - means[2], atol=1e-12)


def test_numbers_become_factors_only_when_asked():
    assert design_of("site").columns == ("intercept", "site")
    assert design_of("C(site)").columns == ("intercept", "site[1]", "site[2]")
    assert design_of("C(site) - 1").columns == ("site[1]", "site[2]", "site[3]")


def test_what_contrasts_are():
    design = design_of("group + age")
    found = {
        text: read_contrast(text, design)
        for text in ("mean", "patient - control", "age", "patient")
    }
    assert [one.of_factor for one in found.values()] == [False, True, False, False]
    assert [one.has_mean for one in found.values()] == [True, False, False, True]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("patient - control", "patientMinusControl"),
        ("0.5*a + 0.5*b - c", "0p5APlus0p5BMinusC"),
        ("age:group", "ageByGroup"),
        ("site[1] - site[2]", "site1MinusSite2"),
    ],
)
def test_labels_are_letters_and_digits(text, label):
    assert words_of(parse_contrast(text)) == label


def test_a_contrast_may_be_given_a_name():
    assert read_contrast("DIFF=patient - control", design_of("group")).label == "DIFF"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("age +", "it ends too early"),
        ("age age", "misplaced"),
        ("age - group", "only 1 can be taken away"),
        ("2 + age", "neither 0 nor 1"),
        ("log(age)", "log\\(\\) is not known"),
        ("C(age", "C\\(\\) holds"),
        ("__import__('os')", "not known"),
        ("age; group", "is not understood"),
        ("0", "nothing is left"),
    ],
)
def test_models_that_are_none_are_refused(text, said):
    with pytest.raises(OptionError, match=said) as error:
        parse_formula(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "contrast", "said"),
    [
        ("group", "patient - contrl", "contrl is neither a column nor a level"),
        ("group", "site[4]", "there is no site"),
        ("group", "2", "stands alone"),
        ("group", "[patient, control", "not closed"),
        ("group", "patient - patient", "no weight other than 0"),
        ("group + age", "age:group", "has no term age:group"),
        ("C(site) + group", "site - group", "cannot be added"),
        ("age - 1", "mean", "has no term mean"),
    ],
)
def test_contrasts_that_are_none_are_refused(model, contrast, said):
    with pytest.raises(OptionError, match=said) as error:
        read_contrast(contrast, design_of(model))
    assert "\n" not in str(error.value)


def test_a_level_of_two_factors_is_asked_for():
    table = {"one": ["a", "b"] * 7, "two": [*"aab"] * 4 + ["b", "b"]}
    with pytest.raises(OptionError, match=r"write one\[a\] or two\[a\]"):
        read_contrast("a - b", design_of("one + two", table))


@pytest.mark.parametrize(
    ("table", "model", "said"),
    [
        ({"a": ["x"] * 14}, "a", "is 'x' for all 14 people"),
        ({"a": ["3"] * 14}, "a", "is 3 for all 14 people"),
        ({"a": ["1"] * 13 + ["old"]}, "a", "holds numbers but 'old' for sub-13"),
    ],
)
def test_columns_that_do_not_vary_or_mix_are_refused(table, model, said):
    with pytest.raises(OptionError, match=said):
        design_of(model, table)


def test_columns_that_repeat_are_named():
    double = {**TABLE, "months": [repr(float(a) * 12) for a in TABLE["age"]]}
    with pytest.raises(OptionError, match="columns age, months repeat each other"):
        check_design(design_of("group + age + months", double))
    check_design(design_of("group + age"))


def test_more_columns_than_people_are_refused():
    table = {"who": [f"p{i // 2}" if i < 2 else f"p{i}" for i in range(14)]}
    with pytest.raises(OptionError, match="columns for 14 people"):
        check_design(design_of("who + age", {**table, "age": TABLE["age"]}))


def test_a_tested_level_needs_two_people():
    design = design_of("group", {"group": ["a"] * 13 + ["b"]})
    with pytest.raises(OptionError, match="only sub-13 is 'b' in group"):
        check_contrast(read_contrast("a - b", design), design)


def test_inflation_is_one_over_what_others_leave():
    design = design_of("age + dose")
    r = np.corrcoef(AGE, np.array(TABLE["dose"], float))[0, 1]
    np.testing.assert_allclose(list(inflation(design).values()), 1 / (1 - r**2), rtol=1e-6)


def test_concerns_name_people_and_columns():
    odd = {**TABLE, "age": [*TABLE["age"][:-1], "900"]}
    design = design_of("group + age", odd)
    contrasts = [read_contrast("patient - control", design)]
    motion = np.where(np.array(GROUP) == "patient", 0.3, 0.1) + RNG.normal(0, 0.02, 14)
    said = "\n".join(concerns(design, contrasts, {"mean_fd": motion}))
    assert "sub-13: far from the others" in said
    assert "goes along with mean_fd over people (r = 0.9" in said
    assert "add + mean_fd" in said
