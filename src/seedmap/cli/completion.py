"""``seedmap completion``: let a shell complete verbs and options."""

import sys
from typing import Literal

__all__ = ["completion"]


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what lets a shell complete seedmap's verbs and options.

    Example, for bash, once; a new shell knows it:

        seedmap completion bash > ~/.local/share/bash-completion/completions/seedmap

    For fish, write it to ~/.config/fish/completions/seedmap.fish; for zsh, to a file _seedmap in a
    folder of $fpath.

    Parameters
    ----------
    shell
        The shell.
    """
    from seedmap.cli import build_app

    sys.stdout.write(build_app().generate_completion(prog_name="seedmap", shell=shell))
