"""Whether r is the same as nilearn's: a part of the run is correlated by both and compared.

nilearn reads, smooths and cleans a box of the run around some voxels, wide enough that the
smoothing of these does not see its edge. All frames are kept, and the filter's edges are
nilearn's: where the run's own options differ, both sides leave them out, and that is said.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedmap._arrays import Array
from seedmap.analysis import Prepared, maps_of, read
from seedmap.images import Grid, load_image
from seedmap.seeds import PlacedSeed, SeriesSeed, Sphere
from seedmap.spatial import fwhm_to_sigma
from seedmap.temporal import Cleaning, cleaning_operator

__all__ = ["TOLERANCE", "Parity", "compare_with_nilearn"]

# float32 arithmetic on either side differs by a few times 1e-6.
TOLERANCE = 5e-5
# Of a confound of unit norm, what the others do not explain; less is rounding.
REPEATS = 1e-7
BOX = 6  # voxels along each edge of the part that is compared


@dataclass(frozen=True)
class Parity:
    """How far r is from nilearn's.

    Attributes
    ----------
    seed : str
        The seed that was compared.
    samples : int
        Voxels that were compared; 0 if it was not possible.
    largest : float
        Largest difference of r.
    note : str
        What both sides left out, or why nothing was compared.
    """

    seed: str
    samples: int
    largest: float
    note: str = ""

    @property
    def same(self) -> bool:
        """Whether no r differs by more than 5e-5."""
        return self.samples > 0 and self.largest <= TOLERANCE


def compare_with_nilearn(prepared: Prepared) -> Parity:
    """Correlate the first seed with a few hundred voxels by both, and compare."""
    seed = prepared.seeds[0]
    if prepared.run.path is None or not isinstance(prepared.run.space, Grid):
        return Parity(seed.name, 0, float("nan"), "the run is not one image of voxels")
    image = load_image(prepared.run.source, role="run")
    comparable, note = _comparable(prepared)
    if comparable.operator.confound_rank < comparable.operator.confounds_given:
        return Parity(
            seed.name,
            0,
            float("nan"),
            "some confounds are linear combinations of others, which nilearn also regresses out as rounding noise",
        )
    inner, outer = _boxes(prepared, prepared.run.space)
    mask = np.zeros(prepared.run.space.shape, dtype=bool)
    mask[inner] = True
    if prepared.mask is not None and (mask & prepared.mask).any():
        mask &= prepared.mask
    ours = _ours(comparable, mask)
    theirs = _theirs(comparable, image, mask[outer], outer)
    known = np.isfinite(ours) & np.isfinite(theirs)
    if not known.any():
        return Parity(seed.name, 0, float("nan"), "no voxel near the seed has an r")
    return Parity(seed.name, int(known.sum()), float(np.abs(ours - theirs)[known].max()), note)


def _comparable(prepared: Prepared) -> tuple[Prepared, str]:
    """Set the options to those that both sides have, and say which."""
    cleaning, run = prepared.method.cleaning, prepared.run
    standard = Cleaning()
    shared = replace(cleaning, edges=standard.edges, order=standard.order)
    keep = np.ones(run.frames, dtype=bool)
    left_out = [] if prepared.keep.all() else ["censoring"]
    left_out += [] if shared == cleaning else ["the filter's edges and order"]
    table = prepared.table
    if table is not None:
        values = _whole(table.values)
        independent = _independent(values)
        if independent.size < values.shape[1]:
            repeated = values.shape[1] - independent.size
            which = (
                "confounds that are linear combinations"
                if repeated > 1
                else "confound that is a linear combination"
            )
            left_out.append(f"{repeated} {which} of others")
        names = tuple(table.names[column] for column in independent)
        table = replace(table, values=values[:, independent], names=names)
    operator = cleaning_operator(shared, keep, run.timing.t_r, table.values if table else None)
    changed = replace(
        prepared,
        keep=operator.keep,
        operator=operator,
        method=replace(prepared.method, cleaning=shared, uncertainty=None),
        seeds=prepared.seeds[:1],
        table=table,
    )
    return changed, f"on both sides without {' and '.join(left_out)}" if left_out else ""


def _independent(values: Array) -> NDArray[np.intp]:
    """Choose columns that span all of them, as many as their rank, in their order."""
    from scipy import linalg

    centred = values - values.mean(axis=0)
    size = np.linalg.norm(centred, axis=0)
    scaled = centred / np.where(size > 0, size, 1)
    triangle, order = linalg.qr(scaled, mode="r", pivoting=True)
    left = np.abs(np.diagonal(triangle))
    return np.sort(order[: left.size][left > REPEATS])


def _whole(values: Array) -> Array:
    """Fill what is missing in censored frames, which take part here, by the column's mean."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    mean = np.where(finite, values, 0).sum(axis=0) / np.maximum(count, 1)
    return np.where(finite, values, mean)


def _boxes(prepared: Prepared, space: Grid) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Choose the voxels that are compared, and the box that their smoothing reaches into."""
    mask = space.mask if prepared.mask is None else prepared.mask
    middle = np.argwhere(mask).mean(axis=0)
    seed = prepared.seeds[0]
    if seed.voxels.size:
        voxels = np.unravel_index(seed.voxels, space.shape)
        middle = np.mean(voxels, axis=1) + BOX / 2  # beside the seed, and partly in it
    sigma = fwhm_to_sigma(prepared.method.smoothing_fwhm, space.voxel_sizes)
    low = np.clip(np.round(middle).astype(int) - BOX // 2, 0, np.array(space.shape) - 1)
    high = np.minimum(low + BOX, space.shape)
    margin = np.ceil(4 * sigma + 1).astype(int)  # a Gaussian is cut off at four sigma
    inner = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    below, above = np.maximum(low - margin, 0), np.minimum(high + margin, space.shape)
    return inner, tuple(slice(int(a), int(b)) for a, b in zip(below, above, strict=True))


def _ours(prepared: Prepared, mask: NDArray[np.bool_]) -> Array:
    """Correlate the part as `seed_maps` would."""
    prepared, seed = replace(prepared, mask=mask), prepared.seeds[0]
    extracted = read(prepared)
    if seed.weights is not None:  # it need not lie in the part
        course = SeriesSeed(seed.name, extracted.seed_series[:, 0])
        prepared = replace(prepared, seeds=(PlacedSeed(course, None),))
    return maps_of(prepared, extracted).r[0]


def _theirs(
    prepared: Prepared, image: Any, mask: NDArray[np.bool_], outer: tuple[slice, ...]
) -> Array:
    """Correlate the part by nilearn, from the file on."""
    import nibabel as nib
    from nilearn.maskers import NiftiMasker

    box = _cut(image, outer)
    masker = NiftiMasker(
        mask_img=nib.Nifti1Image(mask.astype(np.uint8), box.affine),
        smoothing_fwhm=prepared.method.smoothing_fwhm,
        clean_args=_filter(prepared),
        **_options(prepared),
    )
    brain = masker.fit_transform(box, confounds=_confounds(prepared))
    return _pearson(np.asarray(brain, dtype=np.float64), _their_seed(prepared, image))


def _their_seed(prepared: Prepared, image: Any) -> Array:
    """Clean the seed by nilearn."""
    from nilearn.maskers import NiftiSpheresMasker
    from nilearn.signal import clean

    seed, options, kind = prepared.seeds[0].seed, _options(prepared), _filter(prepared)
    confounds = _confounds(prepared)
    if isinstance(seed, SeriesSeed):
        raw = seed.values[:, None]
        return np.asarray(clean(raw, confounds=confounds, **kind, **options))[:, 0]
    weights = seed.weights(prepared.run.space)
    voxels = np.stack(np.unravel_index(weights.voxels, prepared.run.space.shape))
    low, high = np.maximum(voxels.min(axis=1) - 1, 0), voxels.max(axis=1) + 2
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    image = _cut(image, box)
    if isinstance(seed, Sphere):
        masker = NiftiSpheresMasker([seed.center], seed.radius, clean_args=kind, **options)
        return np.asarray(masker.fit_transform(image, confounds=confounds))[:, 0]
    values = np.asarray(image.dataobj)[tuple(voxels - low[:, None])]
    raw = (weights.weights @ values)[:, None]
    return np.asarray(clean(raw, confounds=confounds, **kind, **options))[:, 0]


def _cut(image: Any, box: tuple[slice, ...]) -> Any:
    """Cut a box out of a run, all frames; float32, as nilearn works fastest and we do."""
    import nibabel as nib

    values = np.asarray(image.dataobj[(*box, slice(None))], dtype=np.float32)
    affine = np.array(image.affine, dtype=np.float64)
    affine[:3, 3] += affine[:3, :3] @ [one.start for one in box]
    return nib.Nifti1Image(values, affine)


def _options(prepared: Prepared) -> dict[str, Any]:
    """Word a cleaning as nilearn's options."""
    cleaning = prepared.method.cleaning
    filtered = cleaning.filter is not None
    return {
        "detrend": cleaning.detrend,
        "standardize": "zscore_sample",
        "standardize_confounds": cleaning.standardize_confounds,
        "t_r": prepared.run.timing.t_r,
        "high_pass": cleaning.high_pass if filtered else None,
        "low_pass": cleaning.low_pass if cleaning.filter == "butterworth" else None,
    }


def _filter(prepared: Prepared) -> dict[str, str]:
    """Name the filter, for nilearn's ``clean``."""
    return {"filter": "cosine"} if prepared.method.cleaning.filter == "cosine" else {}


def _confounds(prepared: Prepared) -> Array | None:
    return None if prepared.table is None else prepared.table.values


def _pearson(brain: Array, seed: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        centred, seed = brain - brain.mean(axis=0), seed - seed.mean()
        return (seed @ centred) / np.linalg.norm(centred, axis=0) / np.linalg.norm(seed)
