"""The reference example as a script, run twice: nothing but its import line changes."""

import re
import warnings

import nibabel as nib
import numpy as np
import pytest

import seedmap as sm

SCRIPT = """
from {maskers} import NiftiMasker, NiftiSpheresMasker
import numpy as np
from nilearn import plotting
import matplotlib.pyplot as plt

seed_masker = NiftiSpheresMasker(
    [(0, -52, 18)],
    radius={radius},
    detrend=True,
    standardize="zscore_sample",
    standardize_confounds=True,
    low_pass=0.1,
    high_pass=0.01,
    t_r={t_r},
    memory="cache",
    memory_level=1,
    verbose=1,
)
seed_time_series = seed_masker.fit_transform(func_filename, confounds=[confound_filename])

brain_masker = NiftiMasker(
    smoothing_fwhm=6,
    detrend=True,
    standardize="zscore_sample",
    standardize_confounds=True,
    low_pass=0.1,
    high_pass=0.01,
    t_r={t_r},
    memory="cache",
    memory_level=1,
    verbose=1,
)
brain_time_series = brain_masker.fit_transform(func_filename, confounds=[confound_filename])

print(f"Seed time series shape: ({{seed_time_series.shape}})")
print(f"Brain time series shape: ({{brain_time_series.shape}})")

fig, axes = plt.subplots(2)
axes[0].plot(seed_time_series)
axes[1].plot(brain_time_series[:, [10, 45, 100]])

seed_to_voxel_correlations = (
    np.dot(brain_time_series.T, seed_time_series) / seed_time_series.shape[0]
)
print(f"Seed-to-voxel correlation shape: {{seed_to_voxel_correlations.shape}}")
print(
    f"Seed-to-voxel correlation: min = {{seed_to_voxel_correlations.min():.3f}}; "
    f"max = {{seed_to_voxel_correlations.max():.3f}}"
)

seed_to_voxel_correlations_img = brain_masker.inverse_transform(seed_to_voxel_correlations.T)
display = plotting.plot_stat_map(
    seed_to_voxel_correlations_img, threshold=0.5, vmax=1, cut_coords=[(0, -52, 18)][0]
)
display.add_markers(marker_coords=[(0, -52, 18)], marker_color="g", marker_size=300)
display.savefig("pcc_seed_correlation.pdf")

seed_to_voxel_correlations_fisher_z = np.arctanh(seed_to_voxel_correlations)
print(
    f"Fisher-z transformed: min = {{seed_to_voxel_correlations_fisher_z.min():.3f}}; "
    f"max = {{seed_to_voxel_correlations_fisher_z.max():.3f}}"
)
brain_masker.inverse_transform(seed_to_voxel_correlations_fisher_z.T).to_filename(
    "pcc_seed_correlation_z.nii.gz"
)
plt.close("all")
"""


def run_script(maskers, folder, capsys, func, confounds, *, t_r, radius):
    """Run the script in a folder; return what it leaves and what it says, without addresses."""
    folder.mkdir()
    names = {"func_filename": str(func), "confound_filename": str(confounds)}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        warnings.simplefilter("ignore")
        exec(SCRIPT.format(maskers=maskers, t_r=t_r, radius=radius), names)
    said = [line for line in capsys.readouterr().out.splitlines() if "[Memory]" not in line]
    return names, re.sub("0x[0-9a-f]+", "", "\n".join(said))


def compare(capsys, folder, func, confounds, **options):
    """Run the script with both maskers and compare all that it makes."""
    mine, words = run_script("seedmap.maskers", folder / "mine", capsys, func, confounds, **options)
    its, its_words = run_script(
        "nilearn.maskers", folder / "its", capsys, func, confounds, **options
    )
    for name in ("seed_time_series", "brain_time_series"):
        apart = np.abs(mine[name] - its[name])
        assert mine[name].dtype == its[name].dtype
        assert apart.max() <= 5e-4
        assert np.quantile(apart, 0.999) <= 5e-5
    r, its_r = mine["seed_to_voxel_correlations"], its["seed_to_voxel_correlations"]
    np.testing.assert_allclose(r, its_r, atol=5e-5)
    saved = [nib.load(folder / who / "pcc_seed_correlation_z.nii.gz") for who in ("mine", "its")]
    np.testing.assert_array_equal(saved[0].affine, saved[1].affine)
    np.testing.assert_allclose(saved[0].get_fdata(), saved[1].get_fdata(), atol=5e-3)
    assert (folder / "mine" / "pcc_seed_correlation.pdf").stat().st_size > 1000
    printed, its_printed = (
        [
            line
            for line in said.splitlines()
            if "eries shape" in line or "orrelation" in line or "isher" in line
        ]
        for said in (words, its_words)
    )
    assert len(printed) == len(its_printed) == 5
    for line, its_line in zip(printed, its_printed, strict=True):
        assert re.sub(r"-?\d\.\d+", "", line) == re.sub(r"-?\d\.\d+", "", its_line)
        numbers = [[float(n) for n in re.findall(r"-?\d\.\d+", one)] for one in (line, its_line)]
        np.testing.assert_allclose(*numbers, atol=1.001e-3)
    for step in (
        "Loading data from",
        "Computing mask",
        "Smoothing images",
        "Cleaning",
        "Finished fit",
    ):
        assert step in words
        assert step in its_words


def test_on_the_phantom(tmp_path, capsys):
    phantom = sm.datasets.make_phantom(tmp_path / "phantom", voxel_size=8.0)
    table = np.genfromtxt(phantom.confounds[0], skip_header=1, filling_values=0.0)[:, :12]
    np.savetxt(tmp_path / "confounds.tsv", np.nan_to_num(table), delimiter="\t")
    compare(
        capsys, tmp_path, phantom.func[0], tmp_path / "confounds.tsv", t_r=phantom.t_r, radius=12
    )


@pytest.mark.full
def test_on_a_real_run(tmp_path, capsys, data_folder):
    """On a copy in float32, as the reference example's data are."""
    stem = data_folder / "volume" / "sub-01_task-rest"
    run = nib.load(f"{stem}_space-MNI152_res-4_desc-preproc_bold.nii.gz")
    nib.Nifti1Image(np.asarray(run.dataobj, dtype=np.float32), run.affine).to_filename(
        tmp_path / "run.nii.gz"
    )
    table = np.genfromtxt(f"{stem}_desc-confounds_timeseries.tsv", names=True, delimiter="\t")
    chosen = [table[name] for name in ("csf", "white_matter", "a_comp_cor_00", "a_comp_cor_01")]
    np.savetxt(tmp_path / "confounds.tsv", np.stack(chosen, axis=1), delimiter="\t")
    compare(
        capsys, tmp_path, tmp_path / "run.nii.gz", tmp_path / "confounds.tsv", t_r=1.5, radius=8
    )
