"""What can go wrong, and what each error means for the caller.

::

    SeedmapError
      ImageError (ValueError)         a file that can be opened but not used
        TruncatedImage                  ... because its end is missing or damaged
      SpaceMismatch (ValueError)      two things that lie in different spaces
      SeedError (ValueError)          a seed without usable samples, or not understood
      ConfoundsError (ValueError)     a table of confounds that does not fit the run
      OptionError (ValueError)        an option, or two together, that make no sense
      TooFewFrames (ValueError)       nothing left to estimate
      OutputError (OSError)           results that could not be written
      MissingFile (FileNotFoundError) a file that is not there
      NotFetched (ConnectionError)    a data set that could not be downloaded

Every message says what was found, what was wanted and what to do, in one line that names
the file or the option. Each class also inherits the builtin it stands for, so code that
catches ``ValueError`` or ``OSError`` keeps working. Anything that is not a `SeedmapError` is
a fault of seedmap itself. What a user may act upon without being stopped is a `SeedmapWarning`.
"""

__all__ = [
    "ConfoundsError",
    "ImageError",
    "MissingFile",
    "NotFetched",
    "OptionError",
    "OutputError",
    "SeedError",
    "SeedmapError",
    "SeedmapWarning",
    "SpaceMismatch",
    "TooFewFrames",
    "TruncatedImage",
]


class SeedmapError(Exception):
    """Base of every error that the user's input can cause."""


class ImageError(SeedmapError, ValueError):
    """A file that can be opened but not used."""


class TruncatedImage(ImageError):
    """An image whose end is missing or damaged."""


class SpaceMismatch(SeedmapError, ValueError):
    """Two things that should lie in one space, and do not."""


class SeedError(SeedmapError, ValueError):
    """A seed without usable samples, or one that is not understood."""


class ConfoundsError(SeedmapError, ValueError):
    """A table of confounds that does not fit the run."""


class OptionError(SeedmapError, ValueError):
    """An option, or two together, that make no sense."""


class TooFewFrames(SeedmapError, ValueError):
    """Too few frames are left to estimate anything."""


class OutputError(SeedmapError, OSError):
    """Results that could not be written."""


class MissingFile(SeedmapError, FileNotFoundError):
    """A file that is not there."""


class NotFetched(SeedmapError, ConnectionError):
    """A data set that could not be downloaded."""


class SeedmapWarning(UserWarning):
    """Something that does not stop the work, but that the user may want to act upon."""
