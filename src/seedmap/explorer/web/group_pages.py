"""The explorer of a group: requests in, numbers out; drawing is the page's task.

A map travels as the numbers of its samples (uint32; with ``part=slices`` only), its effect and its t or
z (int16, in steps of 1/32767 of ``effectFull`` and ``statFull`` in ``X-Map``), and the people of each
sample (uint16) where their number differs. -32768 is NaN. People and contrasts are asked for by their
numbers in ``/api/run``; no label of a person stands in an address.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from seedmap.connectivity import quick_z
from seedmap.connectivity.tails import f_test
from seedmap.explorer.engine.gathering import Superseded
from seedmap.explorer.engine.group import GroupAnswer
from seedmap.explorer.engine.live import FULL_SCALE, NOT_A_NUMBER
from seedmap.explorer.engine.model import GroupModel
from seedmap.explorer.engine.people import SeedDifference, Wanted
from seedmap.explorer.group_session import GroupSession
from seedmap.explorer.regions import Regions
from seedmap.explorer.web.answers import Addresses, Pages, body_of, map_answer
from seedmap.explorer.web.facts import named_peaks, page_facts
from seedmap.explorer.web.places import crosshair_in
from seedmap.explorer.web.requests import (
    Question,
    any_seed_in,
    choice_in,
    number_in,
    numbers_in,
    place_in,
    whole_in,
)
from seedmap.group.model import Contrast, Covariate
from seedmap.images import Grid
from seedmap.temporal import Cleaning

__all__ = ["GroupPages"]

# Values beyond these are cut off on the wire; files hold all of them.
STAT_FULL, F_FULL = 60.0, 250.0
# Of the seed whose maps are subtracted, with an l before each.
LESS = ("x", "y", "z", "hemisphere", "vertex", "region", "radius", "name")
PARTS, STATS = ("slices", "all"), ("t", "z")


class GroupPages(Pages):
    """What is answered of a group; one method an address."""

    def __init__(self, session: GroupSession) -> None:
        super().__init__(session)
        self._session: GroupSession = session

    def addresses(self) -> Addresses:
        """Return what is answered by what."""
        return {
            **super().addresses(),
            "run": (self.run, "GET"),
            "group/map": (self.map, "GET"),
            "group/about": (self.about, "GET"),
            "group/line": (self.line, "GET"),
            "look": (self.look, "POST"),
            "save": (self.save, "POST"),
        }

    async def run(self, _request: Request) -> Response:
        """Say what the page needs to know to begin."""
        return JSONResponse(await run_in_threadpool(_about_group, self._session))

    async def map(self, request: Request) -> Response:
        """Test a contrast of a seed; the newest request of a window wins."""
        session, query = self._session, request.query_params
        number, window = whole_in(query, "n"), query.get("w", "")[:64]
        seed, contrast, off = self._asked(query)
        part, stat = choice_in(query, "part", PARTS), choice_in(query, "stat", STATS)
        flat = part == "slices" and isinstance(session.grid, Grid)
        place = place_in(query, ("ax", "ay", "az")) if flat else None
        superseded = session.latest.arrive(window, number)
        started = time.perf_counter()

        def work() -> tuple[bytes, dict[str, Any]]:
            if superseded():
                raise Superseded
            which = None if place is None else session.live.in_slices(place)
            answer = session.live.maps(seed, contrast, off, which, superseded)
            as_r = answer.has_mean and not isinstance(seed, SeedDifference)
            return _packed(answer, which, stat, as_r=as_r)

        body, facts = await run_in_threadpool(work)
        known = {"n": number, "version": session.version, "part": part, "stat": stat}
        return map_answer(body, known | facts, started)

    async def about(self, request: Request) -> Response:
        """Return all about a seed and a place: people's values, peaks, names, the command."""
        query = request.query_params
        asked, place = self._asked(query), crosshair_in(query, self._session)
        threshold = number_in(query, "threshold", 0.0, 1000.0, 3.0)
        # The peaks need the whole map: they make way for a seed that is clicked now.
        window, number = query.get("w", "")[:64], whole_in(query, "n")
        superseded = self._session.latest.after(window, number) if "n" in query else bool

        def work() -> dict[str, Any]:
            answer = self._session.live.maps(*asked, superseded=superseded)
            return _about(self._session, asked, answer, place, threshold)

        return JSONResponse(await run_in_threadpool(work))

    async def line(self, request: Request) -> Response:
        """Say which sizes of a map chance alone reaches somewhere in the brain."""
        asked = self._asked(request.query_params)
        async with self._one_at_a_time:
            return JSONResponse(await run_in_threadpool(self._session.corrected, *asked))

    async def look(self, request: Request) -> Response:
        """Note that a seed was looked at."""
        asked = self._asked(await body_of(request))
        return JSONResponse({"looked": await run_in_threadpool(self._session.look, *asked)})

    async def save(self, request: Request) -> Response:
        """Begin to make the maps of a seed with the group step; ``/api/job`` says how far it is."""
        body = await body_of(request)
        seed, _, off = self._asked(body)
        confirming = body.get("confirm") is True
        job = await run_in_threadpool(self._session.save, seed, off, confirming=confirming)
        return JSONResponse({"folder": str(self._session.out), "job": job.facts()}, 202)

    def _asked(self, question: Question) -> tuple[Wanted, int, frozenset[str]]:
        """Return the seed, the number of the contrast and the people who are switched off."""
        self._session.check()
        live = self._session.live
        contrasts, people = len(live.model.all.contrasts), len(live.people)
        contrast = int(number_in(question, "contrast", 0, contrasts - 1, 0))
        return (
            _wanted_in(question, self._session.regions),
            contrast,
            self._session.people(numbers_in(question, "off", people)),
        )


def _wanted_in(question: Question, regions: Regions | None) -> Wanted:
    """Return the seed, or two of which the second is subtracted."""
    seed = any_seed_in(question, regions)
    less = {name: question[f"l{name}"] for name in LESS if f"l{name}" in question}
    return SeedDifference(seed, any_seed_in({"radius": None, **less}, regions)) if less else seed


def _packed(
    answer: GroupAnswer, which: NDArray[np.int64] | None, stat: str, *, as_r: bool
) -> tuple[bytes, dict[str, Any]]:
    """Write a map as the page reads it."""
    effect = np.tanh(answer.effect) if as_r else answer.effect
    largest = float(np.nanmax(np.abs(effect), initial=0.0)) or 1.0
    full = 1.0 if as_r else float(2.0 ** np.ceil(np.log2(largest)))
    tested = _score(answer) if stat == "z" else answer.t
    stat_full = F_FULL if answer.rows > 1 and stat == "t" else STAT_FULL
    steps = [_steps(effect, full), _steps(tested, stat_full)]
    people = np.unique(answer.n)
    body = b"" if which is None else which.astype("<u4").tobytes()
    body += b"".join(one.tobytes() for one in steps)
    if people.size > 1:
        body += answer.n.astype("<u2").tobytes()
    facts = {
        "samples": int(answer.n.size),
        "effectFull": full,
        "statFull": stat_full,
        "unit": "r" if as_r else "z\u2032",
        "people": int(people[0]) if people.size == 1 else None,
        "used": len(answer.used),
        "lacking": len(answer.lacking),
        "dof": _or_none(np.nanmax(answer.dof, initial=-1)),
        "rows": answer.rows,
        "statistic": answer.statistic,
        "voxels": answer.voxels,
        "leftOut": 0,
        "coverage": round(answer.coverage, 3),
        "reach": _reach(effect),
    }
    return body, facts


def _score(answer: GroupAnswer) -> NDArray[np.float32]:
    """Return the normal score of t, or of F, which has no sign."""
    t, dof = answer.t, answer.dof
    if answer.rows > 1:
        return f_test(t, answer.rows, dof)[0].astype(np.float32)
    return quick_z(t / np.sqrt(dof + t * t), dof + 1)


def _steps(values: NDArray[np.float32], full: float) -> NDArray[np.int16]:
    """Return whole steps of a 32767th of ``full``; values beyond it are cut off."""
    steps = np.rint(np.clip(values / np.float32(full), -1, 1) * FULL_SCALE)
    return np.where(np.isfinite(values), np.nan_to_num(steps), NOT_A_NUMBER).astype("<i2")


def _reach(values: NDArray[np.float32]) -> float:
    """Return a size that one in fifty samples exceeds: where colours may end."""
    sizes = np.abs(values[np.isfinite(values)])
    return float(np.percentile(sizes, 98)) if sizes.size else 1.0


def _or_none(value: Any) -> float | None:
    return None if not np.isfinite(value) or value < 0 else round(float(value), 2)


def _about_group(session: GroupSession) -> dict[str, Any]:
    live = session.live
    facts, model = live.pack.facts, live.model
    cleaning = Cleaning(**facts["cleaning"]) if facts["cleaning"] else None
    used = set(model.all.labels)
    return {
        **page_facts(session, facts["smoothing_fwhm"], cleaning),
        "kind": "group" if isinstance(session.grid, Grid) else "group cortex",
        "name": session.root.name,
        "source": str(session.root),
        "runs": len(live.pack.runs),
        "numbers": str(live.pack.smooth.dtype),
        "model": model.question.model,
        "estimator": model.question.estimator,
        "columns": _columns(session),
        "contrasts": [_about_contrast(one, model) for one in model.all.contrasts],
        "people": [
            {"label": one, "used": one in used, "why": model.all.dropped.get(one, "")}
            for one in live.people
        ],
        "keptBack": len(session.held),
        "stats": ["effect", "t", "f", "z", "n"],
        "notes": [*model.all.notes],
    }


def _about_contrast(contrast: Contrast, model: GroupModel) -> dict[str, Any]:
    weighted = model.question.estimator == "weighted"
    return {
        "text": contrast.text,
        "mean": contrast.has_mean,
        "rows": contrast.tested.q,
        "full": {"t": STAT_FULL, "f": F_FULL, "z": STAT_FULL},
        "statistic": "weighted" if weighted else "robust" if model.robust(contrast) else "pooled",
        "against": _against(contrast, model),
    }


def _columns(session: GroupSession) -> list[dict[str, Any]]:
    """List the columns of the model with a cell for each person; None for people who are not used."""
    plan, people = session.live.model.all, session.live.people
    rows = {label: row for row, label in enumerate(plan.labels)}
    found = []
    for name, one in plan.design.variables.items():
        cells = (
            one.values + one.mean
            if isinstance(one, Covariate)
            else [one.levels[v] for v in one.values]
        )
        values = [cells[rows[label]] if label in rows else None for label in people]
        if isinstance(one, Covariate):
            values = [None if value is None else float(value) for value in values]
        found.append({"name": name, "number": isinstance(one, Covariate), "values": values})
    return found


def _against(contrast: Contrast, model: GroupModel) -> str:
    """Return the column that people's values are drawn against: the one that is tested."""
    weights = np.abs(contrast.weights).sum(axis=0)
    for name in model.all.design.variables:
        columns = [
            name in column.replace("[", ":").split(":") for column in model.all.design.columns
        ]
        if weights[columns].any() and not contrast.has_mean:
            return str(name)
    return ""


def _about(
    session: GroupSession,
    asked: tuple[Wanted, int, frozenset[str]],
    answer: GroupAnswer,
    place: tuple[int | None, str],
    threshold: float,
) -> dict[str, Any]:
    seed, _, off = asked
    live, space = session.live, session.grid
    sample, place_name = place
    values, here = None, {}
    near = live.near(seed) if answer.has_mean else np.zeros(space.n_samples, bool)
    t = np.where(near, np.nan, answer.t)
    if sample is not None:
        values = [_or_nothing(value) for value in live.people_at(seed, sample).values]
        here = {
            "effect": _or_nothing(answer.effect[sample]),
            "t": _or_nothing(answer.t[sample]),
            "n": int(answer.n[sample]),
            "dof": _or_nothing(answer.dof[sample]),
        }
    return {
        "values": values,
        "here": here,
        "peaks": named_peaks(session, t, threshold),
        "near": np.flatnonzero(near).tolist(),
        "placeName": place_name,
        "lacking": [live.people.index(one) for one in answer.lacking],
        "command": session.written(seed, off),
        "confirm": session.written(seed, off, confirming=True) if session.held else "",
    }


def _or_nothing(value: Any) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
