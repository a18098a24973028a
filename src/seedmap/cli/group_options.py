"""Options of ``seedmap group``, grouped; each field is a flag and its text the help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seedmap.cli.study_options import many
from seedmap.errors import OptionError
from seedmap.group import Question, Shuffles
from seedmap.group.options import Estimator, Kind, Variance
from seedmap.group.people import Choice
from seedmap.parallel import ClusterKind, Pool

__all__ = ["GroupChoice", "GroupMachine", "GroupOutput", "GroupTest", "ModelOptions", "RunChoice"]


def entities(**named: str | None) -> dict[str, str]:
    """Return the entities that are given, without the key that may stand before a value."""
    return {key: v.removeprefix(f"{key}-") for key, v in named.items() if v is not None}


@dataclass(frozen=True, kw_only=True)
class RunChoice:
    """Which stored runs of a study."""

    strategy: str = ""
    """Denoising strategy of the runs; needed where there are several."""

    task_id: Annotated[str | None, Parameter(name=["--task-id", "-t"])] = None
    """Task, without task-; needed where there are several."""

    session_id: str | None = None
    """Session, without ses-."""

    run: str | None = None
    """Run, as its name has it."""

    space: str | None = None
    """Space of the runs; needed where there are several."""

    def choice(self) -> Choice:
        """Return what is chosen."""
        chosen = entities(task=self.task_id, ses=self.session_id, run=self.run, space=self.space)
        return Choice("", self.strategy, chosen)


@dataclass(frozen=True, kw_only=True)
class GroupChoice:
    """Which maps of the participants."""

    seed: Annotated[tuple[str, ...], many("--seed")] = ()
    """Names of the seeds whose maps are there; with --from-store their places (PCC=0,-52,18)."""

    strategy: Annotated[tuple[str, ...], many("--strategy")] = ()
    """Denoising strategies of the maps; needed where there are several."""

    task_id: Annotated[str | None, Parameter(name=["--task-id", "-t"])] = None
    """Task, without task-; needed where there are several."""

    session_id: str | None = None
    """Session, without ses-."""

    run: str | None = None
    """Run, as its name has it."""

    space: str | None = None
    """Space of the maps; needed where there are several."""

    res: str | None = None
    """Resolution of the maps, as their names have it."""

    within: str = ""
    """Analyse this difference of each participant's sessions, such as 'ses-2 - ses-1'; the weights sum to 0."""

    leave_out: Annotated[tuple[str, ...], many("--leave-out")] = ()
    """Participants to leave out, with or without sub-."""

    maps: Path | None = None
    """Table of maps made anywhere: columns participant_id, effect (Fisher transforms), and se if known. In place of the maps in DERIVATIVES."""

    from_store: Annotated[bool, Parameter(negative=())] = False
    """Make the participants' maps of a new seed from the cleaned runs that seedmap bids --store kept."""

    seed_robustness: Annotated[bool, Parameter(negative=())] = False
    """With --from-store: compare the maps of the group with those of seeds that could have been chosen instead (64 with centres within 4 and 8 mm, 4 of other sizes, 64 halves of the voxels), in standard errors over people."""

    degree: Annotated[bool, Parameter(negative=())] = False
    """With --from-store: make the mean map of degree over people (mean correlation with all samples: the map of the global signal), and say how much of the mean map of the seed it explains, beside spheres at random places."""

    surface_left: Path | None = None
    """Where the vertices of left hemispheres lie; fsaverage5 is known."""

    surface_right: Path | None = None
    """The same for right hemispheres."""

    def choices(self) -> list[Choice]:
        """Return one choice a seed and strategy."""
        if (self.seed_robustness or self.degree) and not self.from_store:
            flag = "--seed-robustness" if self.seed_robustness else "--degree"
            msg = f"{flag} without --from-store: maps of other seeds need the stored runs; give that, too"
            raise OptionError(msg)
        seeds = self.seed or (("seed",) if self.maps is not None else ())
        if not seeds:
            msg = "no seed is given; give --seed with the name of one whose maps are there"
            raise OptionError(msg)
        chosen = entities(
            task=self.task_id, ses=self.session_id, run=self.run, space=self.space, res=self.res
        )
        return [
            Choice(seed, strategy, chosen, self.within)
            for seed in seeds
            for strategy in self.strategy or ("",)
        ]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What is asked of people."""

    design: Path | None = None
    """Table of participants: TSV or CSV with participant_id; rows are matched by label. mean_fd, frames_kept and dof are known without it."""

    model: str = "1"
    """Formula such as 'group + age + C(site) + mean_fd'; 1 is the mean alone."""

    contrast: Annotated[tuple[str, ...], Parameter(name="--contrast", negative_iterable=())] = ()
    """What is tested: mean, age, 'patient - control', 'age:group', a factor (F), '[a - b, b - c]' (F); NAME=... gives it a name. Repeat for more."""

    estimator: Estimator = "ols"
    """Least squares (ols), or random effects with weights from the participants' standard errors (weighted)."""

    variance: Variance = "auto"
    """One variance for all (pooled), or each person's own (robust); auto is robust where levels of a factor are compared."""

    min_participants: float = 0.8
    """Share of the participants who must have a value where a sample is tested."""


@dataclass(frozen=True, kw_only=True)
class GroupTest:
    """How it is tested."""

    inference: Literal["shuffles", "parametric"] = "shuffles"
    """Shuffle people, or use the distributions of t and F alone (without correction but FDR)."""

    shuffles: int = 5000
    """Shuffles; where fewer are possible, all are taken."""

    kind: Kind = "auto"
    """Flip signs, permute, or both; auto flips for a mean and permutes for all else."""

    random_seed: int = 0
    """Of the generator of shuffles: the same gives the same shuffles."""

    tfce: bool = True
    """Threshold-free cluster enhancement; needs seedmap[group]."""

    cluster_p: float | None = 0.001
    """p of a sample beyond which samples form clusters; none for no clusters."""

    blocks: str | None = None
    """Column of the table: shuffle people only among those of one block."""

    blocks_mode: Literal["within", "whole"] = "within"
    """Shuffle within blocks (sites), or move blocks as one (families)."""

    tail: Annotated[bool, Parameter(negative=())] = False
    """Fit the tail of the null, for which 1000 shuffles do."""

    statistic: Literal["t", "skew"] = "t"
    """Correct the t of a mean for skewed people (skew), which costs power where they are not."""

    correct_over: Literal["samples", "contrasts"] = "samples"
    """Correct p over the samples of each contrast, or over all contrasts of the call (which then must be shuffled alike)."""

    def inferring(self) -> Shuffles | None:
        """Return how people are shuffled; None for not."""
        if self.inference == "parametric":
            return None
        return Shuffles(
            number=self.shuffles,
            kind=self.kind,
            seed=self.random_seed,
            tfce=self.tfce,
            cluster_p=self.cluster_p,
            blocks=self.blocks,
            blocks_mode=self.blocks_mode,
            tail=self.tail,
            skew=self.statistic == "skew",
            correct_over=self.correct_over,
        )

    def question(self, choice: Choice, model: ModelOptions) -> Question:
        """Put together what is asked."""
        return Question(
            seed=choice.seed,
            model=model.model,
            within=choice.within,
            contrasts=model.contrast,
            estimator=model.estimator,
            variance=model.variance,
            inference=self.inferring(),
            min_participants=model.min_participants,
        )


@dataclass(frozen=True, kw_only=True)
class GroupOutput:
    """What is written and printed."""

    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None
    """Folder for the results; DERIVATIVES/group if not given."""

    atlas: Path | None = None
    """Image of numbered regions that names the clusters, in the space of the maps."""

    dry_run: Annotated[bool, Parameter(negative=())] = False
    """Show people, design, shuffles, time and memory, and do nothing."""

    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False
    """Print nothing but errors."""

    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative=())] = False
    """Print every detail."""


@dataclass(frozen=True, kw_only=True)
class GroupMachine:
    """Where people are shuffled."""

    n_jobs: Annotated[int | None, Parameter(name=["--n-jobs", "--nprocs", "--n-cpus"])] = None
    """Threads; all cores if not given. The results do not depend on them."""

    dask_scheduler: str | None = None
    """Address of a Dask scheduler that is running, such as tcp://host:8786; its workers shuffle, with the same results."""

    cluster: ClusterKind | None = None
    """Ask this batch system for workers: slurm, pbs, sge or lsf."""

    cluster_config: Path | None = None
    """YAML with the batch system's options (jobs, cores, memory, queue, walltime, ...): those of dask-jobqueue."""

    work_dir: Annotated[Path | None, Parameter(name=["--work-dir", "-w"])] = None
    """Folder for what batch jobs print; the system's if not given."""

    def pool(self) -> Pool:
        """Put the pool together."""
        return Pool(
            nprocs=self.n_jobs,
            dask_scheduler=self.dask_scheduler,
            cluster=self.cluster,
            cluster_config=self.cluster_config,
            work_dir=self.work_dir,
        )
