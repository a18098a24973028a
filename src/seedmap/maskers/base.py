"""What all four maskers share: they read the images once, and compute with our parts.

nilearn's maskers ask their method ``_cache`` for every function that does real work. That is
where ours are put in place of nilearn's, and where a path is given the size and time of its
file, so that a changed file is never served from an old cache entry.
"""

import contextlib
import glob
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import nilearn.image
import numpy as np
from nilearn.image import check_niimg, new_img_like
from sklearn.base import TransformerMixin
from typing_extensions import override

from seedmap.maskers import steps
from seedmap.maskers.image import middle_frame
from seedmap.maskers.steps import OnePass
from seedmap.signal import nilearn_private
from seedmap.signal.nilearn_private import compute_middle_image, img_data_dtype

__all__ = ["StampedPath", "Streamed", "stand_in"]

OURS = {
    nilearn_private.filter_and_mask: steps.filter_and_mask,
    nilearn_private.filter_and_extract: steps.filter_and_extract,
    nilearn.image.high_variance_confounds: steps.high_variance_confounds,
}
# Ours that may share what they read.
SHARING = (steps.filter_and_mask, steps.filter_and_extract, steps.find_mask, steps.mean_of)
READING = (*SHARING, steps.high_variance_confounds, middle_frame)


class Streamed(TransformerMixin):  # type: ignore[misc]
    """Precedes one of nilearn's maskers and replaces what it reads and computes."""

    _one_pass: OnePass | None = None

    def fit_transform(
        self,
        imgs: Any,
        y: Any = None,
        confounds: Any = None,
        sample_mask: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Fit, then transform, reading the images once where that is possible.

        Parameters
        ----------
        imgs
            Path, image or list of three-dimensional images.
        y
            Not used; here for scikit-learn.
        confounds
            As `seedmap.signal.clean`.
        sample_mask
            Frames that stay, as booleans or indices.
        **fit_params
            Not used; here for scikit-learn.

        Returns
        -------
        ndarray or DataFrame, shape (kept, elements)
            A vector for a three-dimensional image.
        """
        regresses = confounds is not None or self.high_variance_confounds
        with self._in_one_pass(imgs, OnePass(sample_mask is not None, regresses)):
            return super().fit_transform(
                imgs, y, confounds=confounds, sample_mask=sample_mask, **fit_params
            )

    @contextlib.contextmanager
    def _in_one_pass(self, imgs: Any, one_pass: OnePass) -> Iterator[None]:
        """Let fit and transform share what they read; leave no trace on the masker."""
        self._one_pass = one_pass
        try:
            yield
            if one_pass.middle is not None and one_pass.shown is None:  # all came from the cache
                one_pass.shown = self._cache(middle_frame)(imgs)
        finally:
            if one_pass.middle is not None and hasattr(self, "_reporting_data"):
                self._reporting_data["images"] = one_pass.shown
            del self._one_pass

    def _fit(self, imgs: Any) -> Any:
        """Fit with one frame in place of all: nilearn needs it for the grid and the report."""
        if imgs is None:
            return super()._fit(imgs)
        image, dimensions = self._first_image(imgs)
        fitted = super()._fit(image)
        if "dim" in getattr(self, "_reporting_data", {}):
            self._reporting_data["dim"] = dimensions
        return fitted

    def _first_image(self, imgs: Any) -> tuple[Any, int]:
        """Return the frame that a report shows, and how many dimensions there are (5: runs)."""
        if isinstance(imgs, list):
            return compute_middle_image(imgs)
        image = check_niimg(imgs)
        if len(image.shape) != 4:
            return image, len(image.shape)
        if not self.reports:
            return stand_in(image), 4
        if self._one_pass is not None and self._can_wait():
            self._one_pass.middle = image.shape[3] // 2
            return stand_in(image), 4
        return self._cache(middle_frame)(imgs), 4

    def _can_wait(self) -> bool:
        """Whether the report's frame can be filled in after the transform."""
        return True

    def _get_target_dtype(self, imgs: Any) -> Any:
        if isinstance(self.dtype, str) and self.dtype == "auto":
            return np.int32 if np.dtype(img_data_dtype(imgs)).kind == "i" else np.float32
        return super()._get_target_dtype(imgs)

    def _cache(
        self,
        func: Any,
        func_memory_level: int = 1,
        shelve: bool = False,  # noqa: FBT001, FBT002  nilearn's signature
        **kwargs: Any,
    ) -> Any:
        ours = OURS.get(func, func)
        one_pass = self._one_pass if ours in SHARING else None
        if ours in SHARING:
            kwargs["ignore"] = [*kwargs.get("ignore", []), "one_pass"]
        cached = super()._cache(ours, func_memory_level, shelve=shelve, **kwargs)
        if ours not in READING:
            return cached
        if self.memory_.location is not None:
            cached = partial(_call_with_stamps, cached)
        return cached if one_pass is None else partial(cached, one_pass=one_pass)


def stand_in(image: Any) -> Any:
    """Return an empty frame on the grid of an image, which costs nothing."""
    return new_img_like(image, np.zeros(image.shape[:3], dtype=np.int8))


class StampedPath(str):
    """A path (or pattern) that is the same in a cache only while its files are the same."""

    stamps: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, path: str) -> Self:
        """Stamp a path with the names, sizes and times of the files that it stands for."""
        stamped = cls(path)
        names = sorted(glob.glob(str(Path(path).expanduser())))  # noqa: PTH207  as nilearn does
        facts = [(name, Path(name).stat()) for name in names]
        stamped.stamps = tuple((name, fact.st_size, fact.st_mtime_ns) for name, fact in facts)
        return stamped

    @override
    def __reduce__(self) -> Any:
        return _unstamp, (str(self), self.stamps)


def _unstamp(path: str, stamps: Any) -> str:
    """Return the path alone; the stamps have done their work when the cache's key was made."""
    del stamps
    return path


def _stamped(given: Any) -> Any:
    """Stamp every path in what a masker is given."""
    if isinstance(given, str | Path):
        return StampedPath.of(str(given))
    if isinstance(given, list | tuple):
        return type(given)(_stamped(one) for one in given)
    return given


def _call_with_stamps(cached: Any, imgs: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a cached function with stamped paths, for images, confounds and the masks of spheres."""
    if args and hasattr(args[0], "mask_img"):
        args[0].mask_img = _stamped(args[0].mask_img)
    if "confounds" in kwargs:
        kwargs["confounds"] = _stamped(kwargs["confounds"])
    return cached(_stamped(imgs), *args, **kwargs)
