"""`group_maps`: from participants' maps to the maps of a group."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seedmap._arrays import give_back
from seedmap.analysis import SeedMaps, versions
from seedmap.bids import entities_of, label_of
from seedmap.errors import OptionError, SeedmapWarning
from seedmap.group.loading import Loaded, load_people
from seedmap.group.maps import GroupMaps
from seedmap.group.options import Estimator, Question, Shuffles, Variance
from seedmap.group.people import (
    Choice,
    Member,
    OneSeed,
    Piece,
    Used,
    find_members,
    listed_members,
    warn_of_dropped,
)
from seedmap.group.plan import GroupPlan, plan_group
from seedmap.group.spread import shuffle_on
from seedmap.group.tables import read_people
from seedmap.group.tested import Tested, conclude_contrast, graph_of, prepare_contrast
from seedmap.images import Surface, file_of, load_surface
from seedmap.parallel import Pool
from seedmap.participants.ledger import digest

if TYPE_CHECKING:
    from seedmap.group.degree import GroupDegree

__all__ = ["Group", "group_maps", "members_of", "run_group"]

# Entities that names of group maps take from the participants' where all share them.
SHARED = ("task", "space", "res", "den")


@dataclass(frozen=True, eq=False)
class Group:
    """The maps of one seed over people, contrast by contrast.

    Attributes
    ----------
    plan : GroupPlan
        Who, which model, which contrasts.
    maps : dict of str to GroupMaps
        By contrast, as it was written.
    loaded : Loaded
        The people's maps.
    stem : str
        What the names of files begin with, without the contrast.
    strategy : str
        The denoising strategy; may be empty.
    command : str
        The call.
    looked : int
        Seeds and strategies that the call tested, this among them.
    degree : GroupDegree or None
        The mean map of degree; None if that was not asked for.
    """

    plan: GroupPlan
    maps: Mapping[str, GroupMaps]
    loaded: Loaded
    stem: str
    strategy: str
    command: str = ""
    looked: int = 1
    degree: "GroupDegree | None" = None

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts."""
        return tuple(self.maps)

    @property
    def people(self) -> tuple[str, ...]:
        """Labels of the people used."""
        return self.plan.labels

    @cached_property
    def inputs(self) -> dict[str, dict[str, str]]:
        """By label, the files of a person's maps with their checksums."""
        return {
            member.label: {
                path: digest(Path(path)) or "n/a"
                for piece in member.pieces
                for image in (piece.effect, piece.se, piece.q)
                for path in _files(image)
            }
            for member in self.plan.members
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know."""
        return (*self.plan.notes, *(note for one in self.maps.values() for note in one.notes))

    def __getitem__(self, contrast: str) -> GroupMaps:
        """Return the maps of a contrast, as it was written or by its label.

        Raises
        ------
        OptionError
            If there is no such contrast.
        """
        for text, maps in self.maps.items():
            if contrast in (text, maps.contrast.label, maps.contrast.text):
                return maps
        msg = f"there is no contrast {contrast!r}; there are {', '.join(self.maps)}"
        raise OptionError(msg)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the contrasts."""
        return iter(self.maps)

    def save(self, folder: str | Path) -> list[Path]:
        """Write maps, sidecars and tables into a folder; all appear together, or none does."""
        from seedmap.group.files import replaced_words, save_group

        for note in replaced_words(self, Path(folder)):
            warnings.warn(note, SeedmapWarning, stacklevel=2)
        return save_group(self, Path(folder))

    def report(self) -> str:
        """Return the page of the group: HTML that loads nothing."""
        from seedmap.group.page import group_page

        return group_page(self)


def group_maps(  # noqa: PLR0913  each is an everyday choice, all but two by keyword
    maps: Any,
    seed: str = "",
    *,
    design: Any = None,
    model: str = "1",
    contrasts: str | Sequence[str] = (),
    strategy: str = "",
    entities: Mapping[str, str] | None = None,
    within: str = "",
    estimator: Estimator = "ols",
    variance: Variance = "auto",
    inference: Shuffles | Literal["parametric"] = Shuffles(),  # noqa: B008  frozen
    min_participants: float = 0.8,
    surfaces: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
) -> Group:
    """Estimate and test over people what their maps have in common, or how they differ.

    Parameters
    ----------
    maps
        Folder that ``seedmap bids`` wrote; or a table of maps with the columns participant_id,
        effect (Fisher transforms) and perhaps se; or, by participant's label, `SeedMaps`, an image, or
        a pair of images (Fisher transforms, standard errors).
    seed
        Name of the seed.
    design
        Table of participants: path of a TSV or CSV file, or a data frame, with participant_id.
        Rows are matched by label. ``mean_fd``, ``frames_kept`` and ``dof`` are known without it.
    model
        Formula such as ``"group + age + C(site)"``; ``"1"`` is the mean alone. Covariates are
        centred, and the intercept is the mean over levels.
    contrasts
        What is tested: ``"mean"``, ``"age"``, ``"patient - control"``, ``"age:group"``, a factor
        (F), or ``"[a - b, b - c]"`` (F). ``"NAME=..."`` gives it a name.
    strategy
        Denoising strategy, where the folder has several.
    entities
        Further BIDS entities that names must have, such as ``{"task": "rest"}``.
    within
        Weights of sessions that sum to 0, such as ``"ses-2 - ses-1"``: that difference of each
        person is analysed.
    estimator
        ``"ols"``, or ``"weighted"``: random effects with the first level's standard errors.
    variance
        ``"pooled"``, ``"robust"``, or ``"auto"``: robust where levels of a factor are compared.
    inference
        How people are shuffled (`Shuffles`), or ``"parametric"``.
    min_participants
        Share of the people who must have a value where a sample is tested.
    surfaces
        Where vertices lie, by hemisphere; not needed for fsaverage5.
    n_jobs
        Threads; all cores if not given.

    Returns
    -------
    Group
        ``group["age"].t``, ``.pfwe``, ``.ptfce``, ... of each contrast.

    Raises
    ------
    SeedmapError
        If maps, table, model and contrasts do not fit together.

    References
    ----------
    Winkler et al. (2014), doi:10.1016/j.neuroimage.2014.01.060; Smith and Nichols (2009),
    doi:10.1016/j.neuroimage.2008.03.061; Knapp and Hartung (2003), doi:10.1002/sim.1482.
    """
    question = Question(
        seed=seed,
        model=model,
        within=within,
        contrasts=(contrasts,) if isinstance(contrasts, str) else tuple(contrasts),
        estimator=estimator,
        variance=variance,
        inference=None if inference == "parametric" else inference,
        min_participants=min_participants,
    )
    choice = Choice(seed, strategy, entities or {}, within)
    members, dropped = members_of(maps, choice)
    table = None if design is None else read_people(design)
    plan = plan_group(members, question, table, dropped)
    warn_of_dropped(Used(plan.labels, plan.dropped))
    group = run_group(plan, strategy=strategy, surfaces=surfaces, pool=Pool(nprocs=n_jobs))
    for note in group.notes:
        warnings.warn(note, SeedmapWarning, stacklevel=2)
    return group


def members_of(maps: Any, choice: Choice) -> tuple[list[Member], dict[str, str]]:
    """Find the people's maps in whatever they come in; see `group_maps`."""
    if isinstance(maps, Mapping):
        return [_given(str(label), one, choice.seed) for label, one in maps.items()], {}
    if isinstance(maps, str | Path) and Path(maps).expanduser().is_dir():
        if not choice.seed:
            msg = f"{maps}: no seed is given; name one whose maps are there"
            raise OptionError(msg)
        return find_members(Path(maps).expanduser(), choice)
    if isinstance(maps, str | Path) and not str(maps).endswith((".tsv", ".csv", ".txt")):
        return find_members(Path(maps).expanduser(), choice)  # which says that it is not there
    if isinstance(maps, str | Path) or hasattr(maps, "to_dict"):
        return listed_members(maps), {}
    msg = (
        f"maps are a {type(maps).__name__}; give a folder, a table, or maps by participant's label"
    )
    raise OptionError(msg)


def _given(label: str, one: Any, seed: str) -> Member:
    label = label.removeprefix("sub-")
    if isinstance(one, SeedMaps):
        if seed:
            one.index(seed)  # says which there are
        return Member(label, (Piece(OneSeed(one, seed or one.seeds[0])),))
    effect, se = one if isinstance(one, tuple | list) else (one, None)
    return Member(label, (Piece(effect, se),))


def run_group(
    plan: GroupPlan,
    *,
    strategy: str = "",
    surfaces: Mapping[str, Any] | None = None,
    pool: Pool = Pool(),  # noqa: B008  frozen
    on_done: Callable[[int, int], object] | None = None,
    command: str = "",
) -> Group:
    """Do what was planned; see `group_maps`.

    Parameters
    ----------
    plan
        Who and what.
    strategy, command
        For names and sidecars.
    surfaces
        Where vertices lie, by hemisphere.
    pool
        Where people are shuffled: in ``nprocs`` threads (all cores if None), or on the workers of a
        scheduler or a cluster.
    on_done
        Called with the shuffles done and all there are, over all contrasts.
    """
    meshes = {
        side: one if isinstance(one, Surface) else load_surface(one)
        for side, one in (surfaces or {}).items()
    }
    loaded = load_people(plan.members, meshes)
    give_back()
    stem, strategy = _names(plan, strategy)
    place = _place(plan.members[0].pieces[0].effect)
    maps = {}
    for contrast, tested in zip(plan.contrasts, _tested(plan, loaded, pool, on_done), strict=True):
        left_out = loaded.near if contrast.mean_of_maps and loaded.near is not None else None
        maps[contrast.text] = GroupMaps(
            seeds=(_seed_name(plan),),
            space=loaded.space,
            near=(np.flatnonzero(left_out) if left_out is not None else np.empty(0, np.int64),),
            contrast=contrast,
            arrays=tested.arrays,
            maxima=tested.maxima,
            facts={
                **_facts(plan, tested, contrast.text, command),
                "SamplesNearSeedLeftOut": 0 if left_out is None else int(left_out.sum()),
            },
            stem=stem,
            strategy=strategy,
            image_codes=loaded.codes,
            place=place,
            notes=tested.notes,
        )
    return Group(plan, maps, loaded, stem, strategy, command)


def _tested(
    plan: GroupPlan, loaded: Loaded, pool: Pool, on_done: Callable[[int, int], object] | None
) -> list[Tested]:
    """Test contrast by contrast, and correct within each or over all of them."""
    shuffles = plan.question.inference
    graph = graph_of(loaded.space) if shuffles is not None else None
    total = sum(one.total for one in plan.plans if one is not None)
    before, all_prepared, nulls = 0, [], []
    for contrast, one in zip(plan.contrasts, plan.plans, strict=True):
        prepared = prepare_contrast(contrast, one, loaded, plan.question, graph)
        all_prepared.append(prepared)
        if prepared.test is None:
            continue

        def progress(done: int, so_far: int = before) -> None:
            if on_done is not None:
                on_done(so_far + done, total)

        loaded.release()
        give_back()
        nulls.append(shuffle_on(prepared.test, pool, progress))
        prepared.test.kept.clear()
        give_back()
        before += prepared.test.plan.total
    over_all = shuffles is not None and shuffles.correct_over == "contrasts"
    found = []
    for at, prepared in enumerate(all_prepared):
        own = nulls[at : at + 1]
        others = [*nulls[:at], *nulls[at + 1 :]] if over_all else []
        found.append(conclude_contrast(prepared, [*own, *others], loaded, plan.question))
    loaded.release()
    give_back()
    return found


def _names(plan: GroupPlan, strategy: str) -> tuple[str, str]:
    """Return what names of files begin with, and the strategy, from what all inputs share."""
    effects = [piece.effect for one in plan.members for piece in one.pieces]
    named = [entities_of(Path(_file(effect)).name.split(".")[0]) for effect in effects]
    entities = [
        f"{key}-{named[0][key]}"
        for key in SHARED
        if key in named[0] and all(one.get(key) == named[0][key] for one in named)
    ]
    desc = {one.get("desc", "") for one in named if one.get("stat")}
    strategy = label_of(strategy) or (desc.pop() if len(desc) == 1 else "")
    seed = label_of(_seed_name(plan))
    return "_".join(["group", *entities, f"seed-{seed}"]), strategy


def _seed_name(plan: GroupPlan) -> str:
    """Return the name of the seed: as it was asked for, or that of maps in memory."""
    effect = plan.members[0].pieces[0].effect
    return plan.question.seed or (effect.seed if isinstance(effect, OneSeed) else "seed")


def _file(effect: Any) -> str:
    if isinstance(effect, tuple):
        return _file(effect[0])
    return effect.maps.provenance.source if isinstance(effect, OneSeed) else file_of(effect)


def _files(image: Any) -> Iterator[str]:
    """Yield the files of an image: none in memory, one a hemisphere."""
    for one in image if isinstance(image, tuple) else (image,):
        if one is not None and file_of(one):
            yield str(file_of(one))


def _place(effect: Any) -> tuple[float, float, float] | None:
    """Return where the seed lies, of the first map or its sidecar [mm]."""
    if isinstance(effect, OneSeed):
        return effect.maps.center(effect.seed)
    if not _file(effect):
        return None
    file = Path(_file(effect))
    sidecar = file.with_name(file.name.split(".")[0].replace("_hemi-L", "") + ".json")
    try:
        center = json.loads(sidecar.read_text(encoding="utf-8"))["Seed"]["center"]
        x, y, z = (float(value) for value in center)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return x, y, z


def _facts(plan: GroupPlan, tested: Tested, text: str, command: str) -> dict[str, Any]:
    """Return what all sidecars of a contrast say."""
    at = next(i for i, one in enumerate(plan.contrasts) if one.text == text)
    contrast, shuffles, question = plan.contrasts[at], plan.plans[at], plan.question
    facts: dict[str, Any] = {
        "Seed": _seed_name(plan),
        "Within": question.within or None,
        "Model": question.model,
        "DesignColumns": list(plan.design.columns),
        "Contrast": contrast.text,
        "ContrastWeights": contrast.weights.tolist(),
        "Participants": [f"sub-{label}" for label in plan.labels],
        "Estimator": question.estimator,
        "Statistic": tested.statistic,
        "ComparedBy": tested.compared,
        "SamplesInFamily": tested.family,
        "MinParticipants": question.min_participants,
        "PredictedGainOfWeighting": tested.gain,
        "Inference": "parametric",
    }
    if shuffles is not None and question.inference is not None:
        kinds = [
            name
            for name, yes in (("permutations", shuffles.permutes), ("signs", shuffles.flips))
            if yes
        ]
        facts |= {
            "Inference": "shuffles",
            "Shuffles": shuffles.number,
            "ShufflesPossible": min(shuffles.possible, 2**53),
            "ShufflesExhaustive": shuffles.exhaustive,
            "ShufflesKind": " and ".join(kinds),
            "ShufflesSeed": shuffles.seed,
            "Blocks": question.inference.blocks,
            "BlocksMode": question.inference.blocks and question.inference.blocks_mode,
            "ClusterFormingP": question.inference.cluster_p,
            "ClusterFormingScore": tested.threshold,
            "Tail": question.inference.tail,
            "CorrectedOver": question.inference.correct_over,
        }
    return {**facts, "SoftwareVersions": versions(), "Command": command}
