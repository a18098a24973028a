"""What the pages of a run and of a group have in common: bodies, errors, maps, the picture."""

import asyncio
import gzip
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from seedmap.errors import SeedmapError
from seedmap.explorer.engine.gathering import Superseded
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.session import Busy, Session
from seedmap.explorer.web.requests import Wrong
from seedmap.images import Grid

__all__ = [
    "BYTES",
    "Addresses",
    "Endpoint",
    "Pages",
    "answering",
    "body_of",
    "geometry",
    "map_answer",
]

BYTES = "application/octet-stream"
MOST_BODY = 1 << 16
QUICKLY = 3  # of gzip: a map of labels shrinks fiftyfold in some milliseconds
BODY_WAIT = 10.0  # s until a body that does not arrive is given up

Endpoint = Callable[[Request], Awaitable[Response]]
# From an address to what answers, and the method of requests.
Addresses = Mapping[str, tuple[Endpoint, str]]


def answering(endpoint: Endpoint) -> Endpoint:
    """Turn what may go wrong into the answer for it."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (Wrong, SeedmapError) as error:
            return JSONResponse({"error": str(error)}, 422)
        except Superseded:
            return Response(status_code=204, headers={"X-Map": '{"dropped": true}'})
        except Busy:
            return Response(status_code=204, headers={"X-Map": '{"busy": true}'})

    return answer


class Pages:
    """What every explorer has; one method an address."""

    def __init__(self, session: Session | GroupSession) -> None:
        self._session = session
        # What takes long is done one at a time: those that wait must not hold the threads that clicks need.
        self._one_at_a_time = asyncio.Lock()

    def addresses(self) -> Addresses:
        """Return what is answered by what."""
        return {
            "mask": (self.mask, "GET"),
            "picture": (self.picture, "GET"),
            "underlay": (self.underlay, "GET"),
            "job": (self.job, "GET"),
            "regions": (self.regions, "GET"),
            "labels": (self.labels, "GET"),
        }

    async def mask(self, _request: Request) -> Response:
        """Say where the samples are: flat positions in C order, int32."""
        places = np.flatnonzero(self._session.grid.mask).astype("<i4")
        return Response(places.tobytes(), media_type=BYTES)

    async def picture(self, _request: Request) -> Response:
        """Say what the picture of the head is; waits until it is there."""
        picture = await run_in_threadpool(self._session.picture)
        return JSONResponse(
            geometry(picture.grid.affine, picture.grid.shape) | {"name": picture.name}
        )

    async def underlay(self, _request: Request) -> Response:
        """Send the picture of the head: uint8, C order."""
        picture = await run_in_threadpool(self._session.picture)
        return Response(np.ascontiguousarray(picture.grey).tobytes(), media_type=BYTES)

    async def regions(self, _request: Request) -> Response:
        """List the regions of the atlas: their names, and the place of each that is in its middle."""
        return JSONResponse(await run_in_threadpool(_about_regions, self._session))

    async def labels(self, request: Request) -> Response:
        """Send the region at each position of the space, uint16, in C order; 0 for none."""
        regions = self._session.regions
        labels = b"" if regions is None else regions.labels.astype("<u2").tobytes()
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(labels, media_type=BYTES)
        body = await run_in_threadpool(gzip.compress, labels, QUICKLY)
        return Response(body, media_type=BYTES, headers={"Content-Encoding": "gzip"})

    async def job(self, _request: Request) -> Response:
        """Say how far what takes a while is."""
        job = self._session.job
        progress = job.facts() if job else None
        return JSONResponse({"version": self._session.version, "job": progress})


def _about_regions(session: Session | GroupSession) -> list[dict[str, Any]]:
    regions, space = session.regions, session.grid
    if regions is None:
        return []
    middles = regions.middles(space.mask)
    places = np.round(space.places(middles), 2).tolist()
    flat = isinstance(space, Grid)
    return [
        {"name": one.name, "place": place if flat else [*place, position]}
        for one, place, position in zip(regions.named, places, middles.tolist(), strict=True)
    ]


async def body_of(request: Request) -> dict[str, Any]:
    """Read a small JSON object."""
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        msg = "the body is not application/json"
        raise Wrong(msg)
    try:
        async with asyncio.timeout(BODY_WAIT):
            body = await _content(request)
        content = json.loads(body)
        json.dumps(
            content, ensure_ascii=False
        ).encode()  # no lone surrogate, which no answer can hold
    except TimeoutError as error:
        msg = f"the body did not arrive within {BODY_WAIT:g} s"
        raise Wrong(msg) from error
    except (ValueError, RecursionError) as error:
        msg = "the body is not JSON"
        raise Wrong(msg) from error
    if not isinstance(content, dict):
        msg = "the body is not a JSON object"
        raise Wrong(msg)
    return content


async def _content(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            msg = f"the body is longer than {MOST_BODY} bytes"
            raise Wrong(msg)
    return body


def map_answer(body: bytes, facts: dict[str, Any], started: float) -> Response:
    """Send a map, what is known of it, and how long it took."""
    timing = f"map;dur={1e3 * (time.perf_counter() - started):.2f}"
    return Response(
        body, media_type=BYTES, headers={"X-Map": json.dumps(facts), "Server-Timing": timing}
    )


def geometry(affine: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Describe a grid to the page."""
    return {"affine": np.asarray(affine).tolist(), "shape": list(shape)}
