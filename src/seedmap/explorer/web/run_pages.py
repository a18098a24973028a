"""The explorer of one run: requests in, numbers out; drawing is the page's task.

Maps travel as int16, the samples of the mask in C order, in steps of 1/32767 of ``X-Map``'s
``full``; -32768 is NaN. Everything else is JSON. Every parameter is checked: what is wrong is
answered with 422 and a sentence. Nothing that a request brings is ever used as a path.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from seedmap.explorer.engine.gathering import Superseded
from seedmap.explorer.engine.live import FULL_SCALE, NOT_A_NUMBER, SeedSignal
from seedmap.explorer.regions import Chosen
from seedmap.explorer.session import Session
from seedmap.explorer.web.answers import Addresses, Pages, body_of, map_answer
from seedmap.explorer.web.facts import named_peaks, page_facts
from seedmap.explorer.web.places import crosshair_in, start_place
from seedmap.explorer.web.requests import (
    Wrong,
    any_seed_in,
    number_in,
    settings_in,
    wants,
    whole_in,
)
from seedmap.images import Grid

__all__ = ["RunPages"]

Z_FULL = 40.0  # z beyond this is cut off on the wire; files hold all of it


class RunPages(Pages):
    """What is answered of a run; one method an address."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session: Session = session

    def addresses(self) -> Addresses:
        """Return what is answered by what."""
        return {
            **super().addresses(),
            "run": (self.run, "GET"),
            "map": (self.map, "GET"),
            "certain": (self.certain, "GET"),
            "about": (self.about, "GET"),
            "settings": (self.switch, "POST"),
            "look": (self.look, "POST"),
            "save": (self.save, "POST"),
        }

    async def run(self, _request: Request) -> Response:
        """Say what the page needs to know to begin, and after every change of settings."""
        return JSONResponse(await run_in_threadpool(_about_run, self._session))

    async def map(self, request: Request) -> Response:
        """Correlate a seed with the brain; the newest request of a window wins."""
        session, query = self._session, request.query_params
        number, window = whole_in(query, "n"), query.get("w", "")[:64]
        seed = any_seed_in(query, session.regions)
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
        return map_answer(body, facts, started)

    async def certain(self, request: Request) -> Response:
        """Send the z map of a seed; the first of a run takes a while."""
        session, query = self._session, request.query_params
        number, window = whole_in(query, "n"), "z:" + query.get("w", "")[:64]
        seed = any_seed_in(query, session.regions)
        if session.source.settings.method.uncertainty is None:
            msg = "there is no z: the explorer was started without uncertainty"
            raise Wrong(msg)
        superseded = session.latest.arrive(window, number)
        version, started = session.version, time.perf_counter()

        def work() -> tuple[bytes, tuple[str, ...], float | None]:
            found = session.certain(seed, superseded)
            steps = np.rint(np.clip(found.z / Z_FULL, -1, 1) * FULL_SCALE)
            steps = np.where(np.isfinite(found.z), steps, NOT_A_NUMBER).astype("<i2")
            dof = round(found.dof, 1) if np.isfinite(found.dof) else None
            return steps.tobytes(), found.notes, dof

        async with self._one_at_a_time:
            if superseded() or await request.is_disconnected():
                raise Superseded
            body, notes, dof = await run_in_threadpool(work)
        facts = {"n": number, "version": version, "stat": "z", "full": Z_FULL, "dof": dof}
        return map_answer(body, facts | {"notes": notes}, started)

    async def about(self, request: Request) -> Response:
        """Return all about a seed and a place: series, peaks, names, the command."""
        query = request.query_params
        seed = any_seed_in(query, self._session.regions)
        place = crosshair_in(query, self._session)
        stat = "z" if query.get("stat") == "z" else "r"
        beyond = (stat, number_in(query, "threshold", 0.0, Z_FULL, 0.3))
        # The peaks need the whole map once more: they make way for a seed that is clicked now.
        window, number = query.get("w", "")[:64], whole_in(query, "n")
        superseded = self._session.latest.after(window, number) if "n" in query else bool
        answer = await run_in_threadpool(_about, self._session, seed, place, beyond, superseded)
        return JSONResponse(answer)

    async def switch(self, request: Request) -> Response:
        """Clean by other settings, in the background."""
        wish = settings_in(await body_of(request), self._session.source)
        await run_in_threadpool(self._session.switch, wish)
        return JSONResponse({"version": self._session.version}, 202)

    async def look(self, request: Request) -> Response:
        """Note that a seed was looked at."""
        seed = any_seed_in(await body_of(request), self._session.regions)
        self._session.cleaned.live.seed_signal(seed)  # what is no seed was not looked at
        return JSONResponse({"looked": await run_in_threadpool(self._session.look, seed)})

    async def save(self, request: Request) -> Response:
        """Write the maps of a seed into the output folder."""
        seed = any_seed_in(await body_of(request), self._session.regions)
        async with self._one_at_a_time:
            names = await run_in_threadpool(self._session.save, seed)
        return JSONResponse({"folder": str(self._session.out), "files": names})


def _about_run(session: Session) -> dict[str, Any]:
    source, cleaned = session.source, session.cleaned
    live, settings = cleaned.live, cleaned.settings
    facts = page_facts(session, settings.method.smoothing_fwhm, settings.method.cleaning)
    return {
        **facts,
        "kind": "run" if isinstance(live.grid, Grid) else "cortex",
        "name": session.stem,
        "source": source.run.source,
        "coordinates": int(live.targets.shape[1]),
        "frames": int(source.keep.size),
        "keep": cleaned.operator.keep.astype(int).tolist(),
        "t_r": source.run.timing.t_r,
        "stats": ["r"] if source.settings.method.uncertainty is None else ["r", "z"],
        "preview": live.wants_preview,
        "before": [
            {
                "place": start_place(seed, live.grid),
                "radius": seed.radius or 0,
                "name": seed.name,
            }
            for seed in session.before
        ],
        "fixed": source.fixed,
        "notes": list(source.notes),
        "settings": {**facts["settings"], "groups": list(settings.groups)},
        "groups": {name: len(columns) for name, columns in source.groups.items()},
    }


def _about(
    session: Session,
    seed: Chosen,
    place: tuple[int | None, str],
    beyond: tuple[str, float],
    superseded: Callable[[], bool],
) -> dict[str, Any]:
    """Return what the page shows beside the map.

    ``place`` is the sample under the crosshair and the name of its region, ``beyond`` the statistic
    and threshold of peaks.
    """
    cleaned = session.cleaned
    live = cleaned.live
    signal = live.seed_signal(seed)
    sample, place_name = place
    stat, threshold = beyond
    of_z = stat == "z"
    values = session.certain(seed, superseded).z if of_z else live.r(signal.unit, superseded)
    usable = sample is not None and bool(live.usable[sample])
    return {
        "seedSeries": live.series(signal.unit).round(3).tolist(),
        "placeSeries": live.series(live.targets[sample]).round(3).tolist() if usable else None,
        "stat": stat,
        "peaks": named_peaks(session, values, threshold),
        "placeName": place_name,
        "command": session.command.line(session.source, cleaned.settings, seed),
    }
