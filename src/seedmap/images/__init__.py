"""Files and the (frames, samples) arrays and spaces behind them; one file a format.

`open_run` reads headers and hands out frames as a stream; the writers write whole files or none.
"""

from seedmap.images.run import Run, Timing, load_image, open_run, stem_of
from seedmap.images.space import Grid
from seedmap.images.streams import FrameStream, PageKeeper, RawFrame
from seedmap.images.write import (
    MapKind,
    atomic_file,
    staged_folder,
    volume_image,
    write_text,
    write_volume,
)

__all__ = [
    "FrameStream",
    "Grid",
    "MapKind",
    "PageKeeper",
    "RawFrame",
    "Run",
    "Timing",
    "atomic_file",
    "load_image",
    "open_run",
    "staged_folder",
    "stem_of",
    "volume_image",
    "write_text",
    "write_volume",
]
