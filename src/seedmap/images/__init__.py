"""Files and the (frames, samples) arrays and spaces behind them; one file a format.

`open_run` reads headers and returns frames as a stream; the writers write whole files or none.
"""

from seedmap.images.canonical import Canonical
from seedmap.images.cifti import cifti_image
from seedmap.images.file_order import FlatFrame, file_order, finite_only, flat, working_type
from seedmap.images.gifti import hemisphere_of, load_surface
from seedmap.images.kinds import (
    GROUP_STATISTICS,
    MEASURE_KINDS,
    STATISTICS,
    MeasureKind,
    Statistic,
    statistic,
)
from seedmap.images.labels import load_cifti_map, load_on_parts
from seedmap.images.maps import map_image, write_map
from seedmap.images.opening import open_run
from seedmap.images.parts import Grayordinates, Mesh, Part, PartedSpace, Surface
from seedmap.images.run import Run, Space, Timing, stem_of
from seedmap.images.space import Grid
from seedmap.images.streams import FrameStream, PageKeeper, RawFrame
from seedmap.images.volumes import file_of, load_image, load_volume
from seedmap.images.write import (
    DESCRIPTION,
    MapKind,
    atomic_file,
    check_writable,
    final_folder,
    is_ours,
    staged_folder,
    stale_maps,
    volume_image,
    write_text,
    write_volume,
)

__all__ = [
    "DESCRIPTION",
    "GROUP_STATISTICS",
    "MEASURE_KINDS",
    "STATISTICS",
    "Canonical",
    "FlatFrame",
    "FrameStream",
    "Grayordinates",
    "Grid",
    "MapKind",
    "MeasureKind",
    "Mesh",
    "PageKeeper",
    "Part",
    "PartedSpace",
    "RawFrame",
    "Run",
    "Space",
    "Statistic",
    "Surface",
    "Timing",
    "atomic_file",
    "check_writable",
    "cifti_image",
    "file_of",
    "file_order",
    "final_folder",
    "finite_only",
    "flat",
    "hemisphere_of",
    "is_ours",
    "load_cifti_map",
    "load_image",
    "load_on_parts",
    "load_surface",
    "load_volume",
    "map_image",
    "open_run",
    "staged_folder",
    "stale_maps",
    "statistic",
    "stem_of",
    "volume_image",
    "working_type",
    "write_map",
    "write_text",
    "write_volume",
]
