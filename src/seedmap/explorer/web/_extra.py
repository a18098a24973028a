"""Says what to install where the libraries of the page are missing; imported before them."""

from importlib.util import find_spec

from seedmap.errors import OptionError

__all__ = ["EXTRA"]

EXTRA = "seedmap[explore]"

if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
    msg = f"the explorer needs {' and '.join(missing)}; install it with: pip install '{EXTRA}'"
    raise OptionError(msg)
