"""The explorer as a web application: requests in, numbers out; drawing is the page's task.

Maps travel as int16, the samples of the mask in C order, in steps of 1/32767 of ``X-Map``'s
``full``; -32768 is NaN. Everything else is JSON. Every parameter is checked: what is wrong is
answered with 422 and a sentence. Nothing that a request brings is ever used as a path.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seedmap._arrays import middle
from seedmap._version import __version__
from seedmap.errors import SeedmapError
from seedmap.explorer.engine.gathering import Superseded
from seedmap.explorer.engine.live import FULL_SCALE, NOT_A_NUMBER, SeedSignal
from seedmap.explorer.session import Busy, Session
from seedmap.explorer.web.guard import Guard, Policy
from seedmap.explorer.web.requests import (
    MOST_RADIUS,
    Wrong,
    number_in,
    place_in,
    seed_in,
    settings_in,
    wants,
    whole_in,
)
from seedmap.seeds import Sphere

__all__ = ["make_app"]

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
BYTES = "application/octet-stream"
MOST_BODY = 1 << 16
BODY_WAIT = 10.0  # s until a body that does not arrive is given up
MOST_PEAKS = 20
Z_FULL = 40.0  # z beyond this is cut off on the wire; files hold all of it


def make_app(session: Session, policy: Policy) -> Guard:
    """Build the application around a session: routes, and the guard before them."""
    pages = _Pages(session)
    routes = [
        *(_static(name, content) for name, content in _static_files().items()),
        Route("/api/run", _answering(pages.run)),
        Route("/api/mask", _answering(pages.mask)),
        Route("/api/picture", _answering(pages.picture)),
        Route("/api/underlay", _answering(pages.underlay)),
        Route("/api/map", _answering(pages.map)),
        Route("/api/certain", _answering(pages.certain)),
        Route("/api/about", _answering(pages.about)),
        Route("/api/job", _answering(pages.job)),
        Route("/api/settings", _answering(pages.switch), methods=["POST"]),
        Route("/api/look", _answering(pages.look), methods=["POST"]),
        Route("/api/save", _answering(pages.save), methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), policy)


Endpoint = Callable[[Request], Awaitable[Response]]


def _answering(endpoint: Endpoint) -> Endpoint:
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


class _Pages:
    """One method an address."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # Maps with error bars take long: those that wait must not hold the threads that clicks need.
        self._one_at_a_time = asyncio.Lock()

    async def run(self, _request: Request) -> Response:
        """Say what the page needs to know to begin, and after every change of settings."""
        return JSONResponse(await run_in_threadpool(_about_run, self._session))

    async def mask(self, _request: Request) -> Response:
        """Say where the samples are: flat positions in C order, int32."""
        places = np.flatnonzero(self._session.cleaned.live.grid.mask).astype("<i4")
        return Response(places.tobytes(), media_type=BYTES)

    async def picture(self, _request: Request) -> Response:
        """Say what the picture of the head is; waits until it is there."""
        picture = await run_in_threadpool(self._session.picture)
        return JSONResponse(
            _geometry(picture.grid.affine, picture.grid.shape) | {"name": picture.name}
        )

    async def underlay(self, _request: Request) -> Response:
        """Send the picture of the head: uint8, C order."""
        picture = await run_in_threadpool(self._session.picture)
        return Response(np.ascontiguousarray(picture.grey).tobytes(), media_type=BYTES)

    async def map(self, request: Request) -> Response:
        """Correlate a seed with the brain; the newest request of a window wins."""
        session, query = self._session, request.query_params
        number, window = whole_in(query, "n"), query.get("w", "")[:64]
        seed = seed_in(query)
        coarse = wants(query, "preview")
        superseded = session.latest.arrive(window, number)
        cleaned, version = session.cleaned, session.version
        started = time.perf_counter()

        def work() -> tuple[SeedSignal, bytes]:
            if superseded():
                raise Superseded
            live = cleaned.live
            signal = live.seed_signal(seed)
            steps = live.preview(signal.unit) if coarse else live.payload(signal.unit, superseded)
            return signal, steps.astype("<i2", copy=False).tobytes()

        signal, body = await run_in_threadpool(work)
        facts = {
            "n": number,
            "version": version,
            "stat": "r",
            "full": 1.0,
            "preview": coarse,
            "voxels": signal.voxels,
            "leftOut": signal.left_out,
            "coverage": round(signal.coverage, 3),
        }
        return _map_answer(body, facts, started)

    async def certain(self, request: Request) -> Response:
        """Send the z map of a seed; the run is read again for it, so it takes a while."""
        session, query = self._session, request.query_params
        number, window = whole_in(query, "n"), "z:" + query.get("w", "")[:64]
        seed = seed_in(query)
        if session.source.settings.method.uncertainty is None:
            msg = "there is no z: the explorer was started without uncertainty"
            raise Wrong(msg)
        superseded = session.latest.arrive(window, number)
        version, started = session.version, time.perf_counter()

        def work() -> tuple[bytes, list[str], float | None]:
            maps, notes = session.certain(seed, superseded)
            z = maps.values(seed.name, "z")
            steps = np.rint(np.clip(z / Z_FULL, -1, 1) * FULL_SCALE)
            steps = np.where(np.isfinite(z), steps, NOT_A_NUMBER).astype("<i2")
            dof = middle(maps.values(seed.name, "dof"))
            return steps.tobytes(), notes, round(dof, 1) if np.isfinite(dof) else None

        async with self._one_at_a_time:
            if superseded() or await request.is_disconnected():
                raise Superseded
            body, notes, dof = await run_in_threadpool(work)
        facts = {"n": number, "version": version, "stat": "z", "full": Z_FULL, "dof": dof}
        return _map_answer(body, facts | {"notes": notes}, started)

    async def about(self, request: Request) -> Response:
        """Return all about a seed and a place: series, peaks, names, the command."""
        query = request.query_params
        seed, place = seed_in(query), place_in(query, ("ax", "ay", "az"))
        stat = "z" if query.get("stat") == "z" else "r"
        beyond = (stat, number_in(query, "threshold", 0.0, Z_FULL, 0.3))
        # The peaks need the whole map once more: they make way for a seed that is clicked now.
        window, number = query.get("w", "")[:64], whole_in(query, "n")
        superseded = self._session.latest.after(window, number) if "n" in query else bool
        answer = await run_in_threadpool(_about, self._session, seed, place, beyond, superseded)
        return JSONResponse(answer)

    async def job(self, _request: Request) -> Response:
        """Say how far the cleaning is."""
        job = self._session.job
        progress = job.facts() if job else None
        return JSONResponse({"version": self._session.version, "job": progress})

    async def switch(self, request: Request) -> Response:
        """Clean by other settings, in the background."""
        wish = settings_in(await _body(request), self._session.source)
        await run_in_threadpool(self._session.switch, wish)
        return JSONResponse({"version": self._session.version}, 202)

    async def look(self, request: Request) -> Response:
        """Note that a seed was looked at."""
        seed = seed_in(await _body(request))
        self._session.cleaned.live.seed_signal(seed)  # what is no seed was not looked at
        return JSONResponse({"looked": await run_in_threadpool(self._session.look, seed)})

    async def save(self, request: Request) -> Response:
        """Write the maps of a seed into the output folder."""
        seed = seed_in(await _body(request))
        async with self._one_at_a_time:
            names = await run_in_threadpool(self._session.save, seed)
        return JSONResponse({"folder": str(self._session.out), "files": names})


async def _body(request: Request) -> dict[str, Any]:
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


def _map_answer(body: bytes, facts: dict[str, Any], started: float) -> Response:
    timing = f"map;dur={1e3 * (time.perf_counter() - started):.2f}"
    return Response(
        body, media_type=BYTES, headers={"X-Map": json.dumps(facts), "Server-Timing": timing}
    )


def _about_run(session: Session) -> dict[str, Any]:
    source, cleaned = session.source, session.cleaned
    live, start = cleaned.live, session.start
    settings = cleaned.settings
    middle = live.grid.coordinates().mean(axis=0).round(0)
    return {
        "version": session.version,
        "app": __version__,
        "name": session.stem,
        "source": source.run.source,
        "grid": _geometry(live.grid.affine, live.grid.shape),
        "samples": live.grid.n_samples,
        "coordinates": int(live.targets.shape[1]),
        "frames": int(source.keep.size),
        "keep": cleaned.operator.keep.astype(int).tolist(),
        "t_r": source.run.timing.t_r,
        "stats": ["r"] if source.settings.method.uncertainty is None else ["r", "z"],
        "preview": live.wants_preview,
        "mostRadius": MOST_RADIUS,
        "start": {
            "place": list(start.center) if start else middle.tolist(),
            "radius": start.radius or 0 if start else None,
            "name": start.name if start else None,
        },
        "before": [
            {"place": list(seed.center), "radius": seed.radius or 0, "name": seed.name}
            for seed in session.before
        ],
        "fixed": source.fixed,
        "notes": list(source.notes),
        "settings": {
            "smoothing": settings.method.smoothing_fwhm,
            "high": settings.method.cleaning.high_pass if settings.method.cleaning.filter else None,
            "low": settings.method.cleaning.low_pass
            if settings.method.cleaning.filter == "butterworth"
            else None,
            "filter": settings.method.cleaning.filter,
            "groups": list(settings.groups),
        },
        "groups": {name: len(columns) for name, columns in source.groups.items()},
        "out": str(session.out),
        "looked": session.looked_at,
    }


def _geometry(affine: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"affine": np.asarray(affine).tolist(), "shape": list(shape)}


def _about(
    session: Session,
    seed: Sphere,
    place: tuple[float, float, float],
    beyond: tuple[str, float],
    superseded: Callable[[], bool],
) -> dict[str, Any]:
    """Return what the page shows beside the map; ``beyond`` is the statistic and threshold of peaks."""
    cleaned, names = session.cleaned, session.names
    live = cleaned.live
    signal = live.seed_signal(seed)
    sample = live.sample_at(place)
    stat, threshold = beyond
    if stat == "z":
        values = session.certain(seed, superseded)[0].values(seed.name, "z")
    else:
        values = live.r(signal.unit, superseded)
    named = [
        {"at": at, "value": round(value, 4), "name": names.name_at(at) if names else ""}
        for at, value in live.peaks(values, threshold, MOST_PEAKS)
    ]
    usable = sample is not None and bool(live.usable[sample])
    return {
        "seedSeries": live.series(signal.unit).round(3).tolist(),
        "placeSeries": live.series(live.targets[sample]).round(3).tolist() if usable else None,
        "stat": stat,
        "peaks": named,
        "seedName": names.name_at(seed.center) if names else "",
        "placeName": names.name_at(place) if names else "",
        "command": session.command.line(session.source, cleaned.settings, seed),
    }


def _static_files() -> dict[str, bytes]:
    """Read our own files, once; no request can name another."""
    folder = files("seedmap.explorer.web") / "static"
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.rsplit(".", 1)[-1] in TYPES
    }


def _static(name: str, content: bytes) -> Route:
    media_type = TYPES[name.rsplit(".", 1)[-1]]

    async def send(_request: Request) -> Response:
        return Response(content, media_type=media_type)

    return Route("/" if name == "index.html" else f"/static/{name}", send)
