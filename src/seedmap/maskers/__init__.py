"""nilearn's maskers of volumes and surfaces, computed by seedmap: change the import, keep the script.

They are subclasses of nilearn's, with the same options, attributes, reports and errors. Images are
read frame by frame, smoothed and gathered on the way, and cleaned by one matrix a run in
blocks. They differ where nilearn errs: censored frames leave no trace, averages of integers are
not truncated, redundant confounds count once, ``runs`` honours all options, masks are never
modified, scaled integers give float32 unless ``dtype`` asks for more, and a changed file is
never served from an old cache.
"""

from seedmap.maskers.regional import NiftiLabelsMasker, NiftiMapsMasker, NiftiSpheresMasker
from seedmap.maskers.surface import SurfaceLabelsMasker, SurfaceMasker
from seedmap.maskers.volume import NiftiMasker

__all__ = [
    "NiftiLabelsMasker",
    "NiftiMapsMasker",
    "NiftiMasker",
    "NiftiSpheresMasker",
    "SurfaceLabelsMasker",
    "SurfaceMasker",
]
