"""Maps of new seeds from a stored run, without its images."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from seedmap._arrays import zscored
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.options import Method
from seedmap.analysis.provenance import Provenance
from seedmap.analysis.uncertainty import (
    Certainty,
    warn_of_certainty,
)
from seedmap.errors import OptionError, SeedmapWarning
from seedmap.seeds import AnySeed, PlacedSeed, SeedFacts, near_each, parse_seeds, place_seeds
from seedmap.store import StoredMaps, StoredRun, open_stored
from seedmap.temporal import Cleaning

__all__ = ["maps_of_stored", "origin_facts", "stored_maps"]

# A seed of which less than this is sampled may give other numbers than the images.
WHOLE_SEED = 0.999
# What a stored run holds of where it comes from, beside its frames, timing and cleaning.
ORIGIN = (
    "t_r_source",
    "smoothing_fwhm",
    "confounds",
    "confounds_source",
    "confound_rank",
    "rank",
    "mask_source",
    "constant",
    "unusable",
    "codes",
    "others",
)


def stored_maps(
    store: StoredRun | Path | str,
    seeds: AnySeed | Sequence[AnySeed],
    *,
    uncertainty: str | None = Method.uncertainty,
    degree: bool = False,
) -> SeedMaps:
    """Correlate seeds with every sample of a stored run.

    The numbers are those of `seed_maps` on the run's images, r to 1e-5 and z to 1e-3, in a small
    part of the time. ``seedmap bids --store`` stores runs.

    Parameters
    ----------
    store
        The stored run: its folder ``..._bold.zarr``, or what `seedmap.store.open_stored` opened.
    seeds
        One seed or several, as for `seed_maps`; but no time courses.
    uncertainty
        ``"operator"``, the method that a stored run knows; None gives r and fisherz only.
    degree
        Whether to make the map of degree, too: see `seed_maps`.

    Returns
    -------
    SeedMaps
        The cleaning is that of the stored run, the measure correlation.

    Raises
    ------
    SeedmapError
        If the stored run cannot be used, or no voxel of a seed is in it.
    """
    stored = store if isinstance(store, StoredRun) else open_stored(store)
    if degree:
        from seedmap.analysis.degree import stored_maps_with_degree

        return stored_maps_with_degree(stored, seeds, uncertainty)
    return maps_of_stored(stored, place_seeds(parse_seeds(seeds), stored.space), uncertainty)


def maps_of_stored(
    stored: StoredRun, seeds: Sequence[PlacedSeed], uncertainty: str | None
) -> SeedMaps:
    """Correlate seeds that were placed on a stored run; see `stored_maps`."""
    if uncertainty not in ("operator", None):
        msg = f"uncertainty={uncertainty!r}: a stored run knows 'operator' or None"
        raise OptionError(msg)
    facts = [seed.facts(stored.space) for seed in seeds]
    found = stored.maps([seed.weights for seed in seeds if seed.weights is not None])
    sampled = tuple(
        replace(one, coverage=float(share))
        for one, share in zip(facts, found.coverage, strict=True)
    )
    _warn_of_lost_coverage(sampled)
    shown = np.array(stored.facts["samples_shown"], dtype=np.int64)
    provenance = _provenance(stored, sampled)
    certainty = _certainty(stored, found) if uncertainty else None
    maps = SeedMaps(
        seeds=tuple(seed.name for seed in seeds),
        space=stored.space,
        r=found.r,
        seed_series=zscored(found.seed_series),
        sample_series=zscored(stored.series(shown)),
        sample_indices=shown,
        provenance=provenance,
        near=near_each(seeds, stored.space, provenance.smoothing_fwhm),
        certainty=certainty,
    )
    if certainty is not None:
        warn_of_certainty(certainty, stored.keep, maps.seeds)
    return maps


def origin_facts(maps: SeedMaps) -> dict[str, Any]:
    """Return what a stored run must hold of the run that it comes from, as JSON."""
    source, known = maps.provenance, maps.certainty
    origin: dict[str, Any] = {name: getattr(source, name) for name in ORIGIN}
    return {
        **origin,
        "cleaning": asdict(source.cleaning),
        "noise_autocorrelation": [] if known is None else list(known.noise_autocorrelation),
        "samples_shown": maps.sample_indices.tolist(),
    }


def _warn_of_lost_coverage(facts: Sequence[SeedFacts]) -> None:
    for seed in facts:
        if seed.coverage < WHOLE_SEED:
            msg = (
                f"seed {seed.name!r}: {1 - seed.coverage:.0%} of it lies outside the mask, of which the "
                "store knows nothing; the rest is used"
            )
            warnings.warn(msg, SeedmapWarning, stacklevel=3)


def _certainty(stored: StoredRun, found: StoredMaps) -> Certainty:
    autocorrelation = tuple(stored.facts["noise_autocorrelation"])
    return Certainty(
        *("operator", found.dof, found.rank, stored.white_dof, autocorrelation),
        variance=stored.variance,
    )


def _provenance(stored: StoredRun, seeds: tuple[SeedFacts, ...]) -> Provenance:
    facts: Mapping[str, Any] = stored.facts
    origin: dict[str, Any] = {
        name: tuple(value) if isinstance(value := facts[name], list) else value for name in ORIGIN
    }
    return Provenance(
        source=facts["file"],
        t_r=stored.t_r,
        keep=stored.keep,
        from_store=True,
        strategy=str(facts.get("strategy", "")),
        cleaning=Cleaning(**facts["cleaning"]),
        seeds=seeds,
        **origin,
    )
