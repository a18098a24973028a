"""What is asked of people: the model, the contrasts and how they are tested; checked when made."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from seedmap.errors import OptionError

__all__ = ["Estimator", "Question", "Shuffles", "Variance"]

Estimator = Literal["ols", "weighted"]
Variance = Literal["auto", "pooled", "robust"]
Kind = Literal["auto", "signs", "permutations", "both"]


@dataclass(frozen=True, kw_only=True)
class Shuffles:
    """How people are shuffled.

    Attributes
    ----------
    number : int
        Shuffles beside the data as they are; all there are where these are fewer.
    kind : str
        ``"signs"``, ``"permutations"``, ``"both"``, or ``"auto"``: signs for a mean, permutations
        for all else.
    seed : int
        Of the generator.
    tfce : bool
        Whether TFCE is worked out; it needs numba.
    cluster_p : float or None
        p of a sample beyond which samples form clusters; None for no clusters.
    blocks : str or None
        Column of the table; people of one block are shuffled among each other only.
    blocks_mode : str
        ``"within"`` blocks, or ``"whole"`` blocks as one.
    tail : bool
        Whether p below .1 come from a Pareto distribution fitted to the largest maxima, for which
        1000 shuffles do.
    skew : bool
        Whether a mean's t is corrected for skewness.
    correct_over : str
        ``"samples"`` corrects p within each contrast; ``"contrasts"`` over all samples of all
        contrasts of a call, which then are shuffled alike.
    """

    number: int = 5000
    kind: Kind = "auto"
    seed: int = 0
    tfce: bool = True
    cluster_p: float | None = 0.001
    blocks: str | None = None
    blocks_mode: Literal["within", "whole"] = "within"
    tail: bool = False
    skew: bool = False
    correct_over: Literal["samples", "contrasts"] = "samples"

    def __post_init__(self) -> None:
        if self.cluster_p is not None and not 0 < self.cluster_p < 0.5:
            msg = f"clusters beyond p < {self.cluster_p:g} make no sense; give a p such as 0.001"
            raise OptionError(msg)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked.

    Attributes
    ----------
    seed : str
        Name of the seed.
    model : str
        The formula; ``"1"`` is the mean alone.
    contrasts : tuple of str
        What is tested; of the model ``"1"`` the mean, if none is given.
    estimator : str
        ``"ols"``, or ``"weighted"`` by the first level's standard errors.
    variance : str
        ``"pooled"`` or ``"robust"``; ``"auto"`` is robust where levels of a factor are compared.
    inference : Shuffles or None
        None tests by the distributions of t and F alone.
    min_participants : float
        Share of the people who must have a value where a sample is tested.
    within : str
        Sessions with weights that sum to 0, whose difference within each person is analysed; empty
        for none.
    """

    seed: str
    model: str = "1"
    contrasts: tuple[str, ...] = ()
    estimator: Estimator = "ols"
    variance: Variance = "auto"
    inference: Shuffles | None = Shuffles()
    min_participants: float = 0.8
    within: str = ""

    def __post_init__(self) -> None:
        for name, known in (("estimator", Estimator), ("variance", Variance)):
            value: Any = getattr(self, name)
            if value not in get_args(known):
                msg = f"{name}={value!r} is not known; choose {' or '.join(get_args(known))}"
                raise OptionError(msg)
        if not 0 < self.min_participants <= 1:
            msg = f"min_participants={self.min_participants:g}; a share above 0 to 1 is wanted, such as 0.8"
            raise OptionError(msg)
        if not self.contrasts and self.model.strip() != "1":
            msg = f"model {self.model!r}: no contrast is given; name what is tested, such as mean or a column"
            raise OptionError(msg)
        if self.inference is not None and self.inference.skew and self.estimator == "weighted":
            msg = "skew and estimator='weighted' exclude each other; choose one"
            raise OptionError(msg)
