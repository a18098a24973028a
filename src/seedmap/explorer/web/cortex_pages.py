"""Surfaces and grayordinates: what is answered beside what the pages of volumes answer."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from seedmap.explorer.cortex import Sheet, sheets_of, voxel_box
from seedmap.explorer.web.answers import BYTES, Addresses, Pages
from seedmap.explorer.web.group_pages import GroupPages
from seedmap.explorer.web.requests import Wrong
from seedmap.explorer.web.run_pages import RunPages
from seedmap.images import Grid, PartedSpace

__all__ = ["CortexGroupPages", "CortexPages"]


class CortexParts(Pages):
    """Where vertices and voxels lie, and how hemispheres are drawn."""

    def addresses(self) -> Addresses:
        """Return what is answered by what."""
        return {
            **super().addresses(),
            "positions": (self.positions, "GET"),
            "sheet": (self.sheet, "GET"),
        }

    @property
    def _space(self) -> PartedSpace:
        space = self._session.grid
        assert not isinstance(space, Grid)  # volumes have other pages
        return space

    @cached_property
    def _sheets(self) -> dict[str, Sheet]:
        return sheets_of(self._space)

    async def positions(self, _request: Request) -> Response:
        """Send the vertex of each position, or its voxel in the box, flat in C order; int32."""
        return Response(_numbers(self._space).astype("<i4").tobytes(), media_type=BYTES)

    async def sheet(self, request: Request) -> Response:
        """Send one hemisphere: see `_packed`."""
        found = (await run_in_threadpool(lambda: self._sheets)).get(
            request.query_params.get("part", "")
        )
        if found is None:
            msg = f"part is no hemisphere of this run; {' or '.join(self._sheets)} is wanted"
            raise Wrong(msg)
        return Response(_packed(found), media_type=BYTES)


class CortexPages(CortexParts, RunPages):
    """What is answered of a run on surfaces or grayordinates."""


class CortexGroupPages(CortexParts, GroupPages):
    """What is answered of a group on surfaces or grayordinates."""


def _numbers(space: PartedSpace) -> NDArray[np.int64]:
    box = voxel_box(space)
    numbers = np.full(space.mask.size, -1) if box is None else box.flat.copy()
    for part in space.parts:
        if part.kind == "surface":
            numbers[space.slices[part.name]] = part.places
    return numbers


def _packed(sheet: Sheet) -> bytes:
    """Write what is drawn, where that lies in the brain (float32), triangles (uint32), and grey."""
    return b"".join(
        [
            sheet.surface.coordinates.astype("<f4").tobytes(),
            sheet.places.astype("<f4").tobytes(),
            sheet.surface.triangles.astype("<u4").tobytes(),
            sheet.grey.tobytes(),
        ]
    )
