"""From stored runs and a table of patients to what is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seedmap.analysis import global_signal
from seedmap.errors import OptionError
from seedmap.group.packs import pack_study
from seedmap.group.people import Choice
from seedmap.images import Space
from seedmap.lesions.association import (
    Association,
    Times,
    associate,
    design,
    family_of,
    nuisance,
    p_patients,
    p_people,
    slopes,
)
from seedmap.lesions.connectome import Connectome, LesionMaps, lesion_series, mean_maps
from seedmap.lesions.nulls import (
    Compared,
    Places,
    compare_sets,
    direction,
    group_factor,
    pooled_directions,
    random_directions,
    shape_of,
)
from seedmap.lesions.prediction import Predicted, likeness_products, predict
from seedmap.lesions.table import Drawn, Patients, draw_lesions, read_patients
from seedmap.lesions.volumes import check_volume, grey_matter, prior_of
from seedmap.store import Pack, open_stored

__all__ = ["LesionOptions", "LesionStudy", "connectome_of", "lesion_maps", "score_label"]

Floats = NDArray[np.float64]

# Fewer lesions, or people, give maps and effects and no p.
FEWEST_LESIONS, FEWEST_PEOPLE = 20, 6
ENOUGH = 0.8
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class LesionOptions:
    """What is asked, and how.

    Attributes
    ----------
    score : str
        Column of numbers that connectivity may go with.
    against : str
        ``COLUMN=LEVEL`` of control lesions, in place of a score.
    covariates : tuple of str
        Columns of numbers in the model; lesion size always is.
    null : str
        ``"matched"`` compares the mean map with random sets of lesions of the same shapes anywhere
        in the brain, or where ``prior`` says; ``"none"`` does not.
    prior : Path or None
        Image on the grid of the runs: how often random lesions have their centre at each voxel, such
        as the lesion frequency of another study. None: all voxels alike.
    grey_matter : Path or None
        Image of the share of grey matter on the grid of the runs; None takes that of the MNI152
        template for runs in MNI space.
    shuffles, null_sets, seed : int
        How many shuffles and random sets, and the seed of their generators.
    n_jobs : int
        Threads.
    t : bool
        Whether t over people of each lesion is worked out, which doubles the time.
    """

    score: str = ""
    against: str = ""
    covariates: tuple[str, ...] = ()
    null: Literal["matched", "none"] = "none"
    prior: Path | str | None = None
    grey_matter: Path | str | None = None
    shuffles: int = 5000
    null_sets: int = 1000
    seed: int = 0
    n_jobs: int = 1
    t: bool = False

    def __post_init__(self) -> None:
        if self.null not in ("matched", "none"):
            msg = f"null={self.null!r} is not known; choose matched or none"
            raise OptionError(msg)
        if self.prior is not None and self.null == "none":
            msg = f"prior={str(self.prior)!r} given without random lesions; add null='matched' (--null matched)"
            raise OptionError(msg)
        if self.shuffles < 1 or self.null_sets < 20:
            msg = f"{self.shuffles} shuffles and {self.null_sets} null sets; 1 and 20 or more are wanted"
            raise OptionError(msg)
        if not 0 <= self.seed < 2**63:
            msg = f"seed {self.seed}; give 0 or a positive whole number below 2^63"
            raise OptionError(msg)


@dataclass(frozen=True, eq=False)
class LesionStudy:
    """The result; maps have shape (samples,), NaN where nothing is known.

    Attributes
    ----------
    space : Grid
        Where the samples lie.
    patients : Patients
        Who is used and who is not.
    drawn : Drawn
        The lesions.
    maps : LesionMaps
        Of each lesion, over people.
    association : Association
        What goes with the score.
    family : ndarray of bool
        Samples that are tested.
    alone : dict of str to int
        Significant samples where a part of the test is left out: ``"patients"``, ``"people"``,
        ``"without size"``; and samples of the mean map that differ from random sets drawn from one
        ``"pool"``. Empty without tests.
    expected, found : ndarray of float32
        Mean Fisher transform of a seed made of all lesions by their frequency, and of the lesions.
    compared : Compared or None
        The mean map beside random sets.
    predicted : Predicted or None
        Of the score; None for fewer than 20 lesions.
    people, dropped_people : tuple of str
        Whose runs were used; who has no voxel of a lesion.
    facts : dict
        Of the pack and the options.
    codes : tuple of int
        The sform and qform codes of images.
    """

    space: Space
    patients: Patients
    drawn: Drawn
    maps: LesionMaps
    association: Association
    family: NDArray[np.bool_]
    alone: Mapping[str, int]
    expected: NDArray[np.float32]
    found: NDArray[np.float32]
    compared: Compared | None
    predicted: Predicted | None
    people: tuple[str, ...]
    dropped_people: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    codes: tuple[int, int] = (2, 0)

    @property
    def frequency(self) -> Floats:
        """Number of lesions at each sample."""
        return np.asarray(self.drawn.lesions.sum(axis=0), np.float64)

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Samples with a p of at most .05 over patients and over people; none without tests."""
        p = self.association.p_both
        with np.errstate(invalid="ignore"):
            return np.zeros_like(self.family) if p is None else p <= 0.05


def lesion_maps(
    stores: Path | str,
    table: Any,
    *,
    choice: Choice = Choice(""),  # noqa: B008  frozen
    on_done: Progress | None = None,
    **options: Any,
) -> LesionStudy:
    """See the lesions of patients through the stored runs of healthy people.

    Parameters
    ----------
    stores
        What ``seedmap bids --store`` wrote for the healthy people.
    table
        Table of patients: path or data frame with the columns ``participant_id``, ``lesion`` (path
        of a mask on the grid of the runs) and the score.
    choice
        Which runs.
    on_done
        Called as ``progress(done, total)`` while the pack of the runs is made.
    **options
        Fields of `LesionOptions`, such as ``score="aphasia"``.

    Returns
    -------
    LesionStudy

    Raises
    ------
    SeedmapError
        If runs, table or lesions cannot be used.
    """
    asked = LesionOptions(**options)
    patients = read_patients(table, asked.score, asked.against, asked.covariates)
    packed = pack_study(Path(stores).expanduser(), choice, on_done)
    pack = packed.pack
    connectome = connectome_of(pack)
    common = (pack.smooth_scale > 0).mean(axis=1) >= ENOUGH
    width = float(pack.facts.get("smoothing_fwhm") or 0.0)
    space = check_volume(pack.space)
    grey, grey_source = grey_matter(space, asked.grey_matter, pack.facts.get("space"))
    drawn, reasons = draw_lesions(patients, space, common, width, grey)
    if reasons:
        drawn = drawn.some(np.array([label not in reasons for label in patients.labels]))
        patients = patients.without(reasons)
    series = lesion_series(connectome, drawn.lesions)
    connectome, series, names, gone = _with_all(pack, connectome, series)
    facts = {
        "Space": pack.facts.get("space"),
        "Strategy": packed.strategy,
        "Cleaning": pack.facts.get("cleaning"),
        "GlobalSignalRemoved": any(
            global_signal(open_stored(path).facts["confounds"]) for path in packed.paths
        ),
        "SmoothingFWHM": width,
        "Runs": int(connectome.person.size),
        "GreyMatter": grey_source or None,
        "NullSets": asked.null_sets if asked.null == "matched" else None,
        "Prior": None if asked.prior is None else str(asked.prior),
        "Covariates": ["log(lesion volume)", *patients.columns],
        "Shuffles": asked.shuffles,
        "Seed": asked.seed,
    }
    codes = tuple(pack.facts.get("codes") or (2, 0))
    return _study(pack.space, patients, drawn, (connectome, series), asked, (names, gone, facts, codes))  # fmt: skip


def connectome_of(pack: Pack) -> Connectome:
    """Return the runs of a pack, those of one person weighted by what their cleaning leaves."""
    people = list(dict.fromkeys(run.person for run in pack.runs))
    person = np.array([people.index(run.person) for run in pack.runs], dtype=np.intp)
    weight = np.array([float(run.rank) for run in pack.runs])
    return Connectome(
        pack.smooth, pack.smooth_scale, pack.plain, pack.plain_scale, person, weight
    )  # fmt: skip


def _with_all(
    pack: Pack, connectome: Connectome, series: NDArray[np.float32]
) -> tuple[Connectome, NDArray[np.float32], tuple[str, ...], tuple[str, ...]]:
    """Keep the people whose runs have voxels of all lesions."""
    people = list(dict.fromkeys(run.person for run in pack.runs))
    lacking = np.isnan(series).any(axis=(1, 2))
    kept = np.logical_and.reduceat(~lacking, connectome.first)
    if kept.sum() < 2:
        msg = f"{pack.path}: {kept.sum()} people have voxels of all lesions; 2 or more are wanted"
        raise OptionError(msg)
    names = tuple(one for one, yes in zip(people, kept, strict=True) if yes)
    gone = tuple(one for one, yes in zip(people, kept, strict=True) if not yes)
    return connectome.some(kept), series[kept[connectome.person]], names, gone


def _study(
    space: Any,
    patients: Patients,
    drawn: Drawn,
    runs: tuple[Connectome, NDArray[np.float32]],
    asked: LesionOptions,
    known: tuple[Any, ...],
) -> LesionStudy:
    """Do what is asked with lesions and runs that fit each other."""
    connectome, series = runs
    away = ~drawn.near
    beside = nuisance(drawn.volumes, patients.covariates)
    split = design(patients.score, beside)
    weights = slopes(split, away)
    maps = mean_maps(connectome, series, weights, t=asked.t, n_jobs=asked.n_jobs)
    assert maps.people is not None
    known_maps = np.where(away, maps.mean, np.float32(np.nan))
    family = family_of(away, weights, np.isfinite(maps.people))
    if not family.any():
        msg = f"{patients.source}: no sample is away from half of the lesions; are these lesions of the whole brain?"
        raise OptionError(msg)
    association = associate(known_maps, maps.people, split, family)
    expected = _expected(connectome, drawn)
    alone: dict[str, int] = {}
    predicted = None
    if len(patients.labels) >= FEWEST_LESIONS:
        both = known_maps, maps.people
        association, alone = _tested(association, both, patients, beside, family, asked)
        products = likeness_products(known_maps, expected)
        predicted = predict(patients.score, beside, *products, seed=asked.seed)
    compared = None
    if asked.null == "matched":
        compared, alone["pool"] = _compared(space, connectome, drawn, asked)
    return LesionStudy(
        space, patients, drawn, maps, association, family, alone, expected,
        maps.mean.mean(axis=0), compared, predicted, *known,
    )  # fmt: skip


def _tested(
    association: Association,
    maps: tuple[NDArray[np.float32], NDArray[np.float32]],
    patients: Patients,
    beside: Floats,
    family: NDArray[np.bool_],
    asked: LesionOptions,
) -> tuple[Association, dict[str, int]]:
    """Test over patients and over people; count what each finds alone, and what size would."""
    times, robust = Times(asked.shuffles, asked.seed, asked.n_jobs), patients.two_groups
    split = design(patients.score, beside)
    without = design(patients.score, np.delete(beside, 1, axis=1))
    p = p_patients(maps[0], split, family, times, robust=robust)
    alone = {
        "patients": p,
        "without size": p_patients(maps[0], without, family, times, robust=robust),
    }
    people = None
    if len(maps[1]) >= FEWEST_PEOPLE:
        people = alone["people"] = p_people(maps[1], family, times)
    counts = {name: int(np.sum(one[family] <= 0.05)) for name, one in alone.items()}
    return Association(association.effect, association.r, p, people), counts


def _expected(connectome: Connectome, drawn: Drawn) -> NDArray[np.float32]:
    """Return the map of a seed that is all lesions, each sample by how often it is in one."""
    import scipy.sparse as sp

    frequency = sp.csr_array(np.asarray(drawn.lesions.sum(axis=0), np.float64)[None])
    return mean_maps(connectome, lesion_series(connectome, frequency)).mean[0]


def _compared(
    space: Any, connectome: Connectome, drawn: Drawn, asked: LesionOptions
) -> tuple[Compared, int]:
    """Compare the mean map with sets of lesions of the same shapes elsewhere, fresh for each set.

    Also count what would differ from sets that are drawn from one pool of lesions.
    """
    factor = group_factor(connectome, seed=asked.seed)
    prior = None if asked.prior is None else prior_of(space, Path(asked.prior))
    places = Places.of(space.mask, prior)
    shapes = [shape_of(places, drawn.lesions[[row]].indices) for row in range(drawn.volumes.size)]
    mine = direction(factor, drawn.lesions)
    sets = random_directions(factor, places, shapes, asked.seed, np.arange(asked.null_sets))
    pooled = pooled_directions(factor, places, shapes, asked.seed, asked.null_sets)
    return compare_sets(factor, mine, sets), compare_sets(factor, mine, pooled).found


def score_label(patients: Patients) -> str:
    """Return the score for names of files: letters and digits."""
    return "".join(one for one in patients.name if one.isalnum())
