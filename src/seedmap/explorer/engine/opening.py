"""What the user gives, opened for exploring: in the same way as by `seedmap.seed_maps`."""

from seedmap.analysis import Inputs, Limits, Method
from seedmap.errors import OptionError
from seedmap.explorer.engine.explorable import Explorable
from seedmap.explorer.engine.imaged import open_images
from seedmap.explorer.engine.stored import is_stored, open_stored_source

__all__ = ["open_source"]


def open_source(inputs: Inputs, method: Method = Method(), limits: Limits = Limits()) -> Explorable:
    """Open a run for exploring; the options are those of `seedmap.seed_maps`, put together.

    The run may also be a stored one, the folder that ``seedmap bids --store`` wrote. It is
    cleaned already: what says how to clean must be left out, or be as it was.

    Raises
    ------
    SeedmapError
        If the input cannot be used: see `seedmap.errors`.
    """
    if not is_stored(inputs.bold):
        return open_images(inputs, method, limits)
    for name in ("confounds", "strategy", "sample_mask", "mask_img", "t_r"):
        if getattr(inputs, name) is not None:
            msg = f"{inputs.bold}: {name} is given, but this run was stored cleaned; leave it out"
            raise OptionError(msg)
    return open_stored_source(inputs.bold, method, limits)
