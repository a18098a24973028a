"""From a run to a running explorer: in a terminal, or beside a notebook.

`explore` cleans the run, starts a server on this machine and returns an `Explorer`, which a
notebook shows as the page itself.
"""

import html
import json
import socket
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from seedmap.analysis import Inputs, Limits, Method, SeedMaps
from seedmap.bids import in_mni_space
from seedmap.errors import OptionError, SeedmapError
from seedmap.explorer.beside import AnySession, Beside, begin_beside
from seedmap.explorer.command import Command
from seedmap.explorer.cortex import is_standard
from seedmap.explorer.engine import Explorable, open_source
from seedmap.explorer.engine.stored import is_stored
from seedmap.explorer.results import recall
from seedmap.explorer.session import PCC, Session
from seedmap.explorer.web import Guard, Policy, make_app
from seedmap.seeds import Sphere, VertexPatch
from seedmap.spatial import DEFAULT_FWHM

__all__ = ["Explorer", "ServerOptions", "begin_session", "explore", "serve"]

ADDRESS = "127.0.0.1"  # this machine and nobody else
WAIT = 10.0  # s until a server that does not start is given up
FRAME_HEIGHT = 900


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Where the page is served, and to whom."""

    port: int = 0
    """Port to listen on; 0 takes one that is free."""

    allow_host: tuple[str, ...] = ()
    """Further host names under which the page is reached, such as that of a proxy."""

    idle_minutes: float | None = None
    """Stop when nothing was asked for this long [minutes]; none never stops."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            msg = f"port={self.port}; give 0 for a free one, or 1024 to 65535"
            raise OptionError(msg)
        if self.idle_minutes is not None and not self.idle_minutes > 0:
            msg = f"idle_minutes={self.idle_minutes:g}; give more than 0, or none"
            raise OptionError(msg)


class Explorer:
    """A server that is running beside this program.

    Attributes
    ----------
    url : str
        The address to open; it carries a token that lets one browser in, once.
    session : Session, GroupSession or Beside
        What it serves.
    """

    def __init__(
        self, session: AnySession | Beside, options: ServerOptions, *, framed: bool = False
    ) -> None:
        self.session = session
        self._socket = _bound_socket(options.port)
        self.port: int = self._socket.getsockname()[1]
        policy = Policy(
            cookie=f"seedmap-{self.port}",
            hosts=_lower(options.allow_host),
            framed=framed,
            beside=isinstance(session, Beside),
        )
        self._app = make_app(session, policy)
        self._token = self._app.invite()
        self._server = _server(self._app)
        self._idle = options.idle_minutes
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address to open; it carries a token that lets one browser in, once.

        After that this is another address, for another browser.
        """
        if not self._app.is_pending(self._token):
            self._token = self._app.invite()
        return self._address(self._token)

    def _address(self, token: str) -> str:
        return f"http://{ADDRESS}:{self.port}/?token={token}"

    @contextmanager
    def address_file(self) -> Iterator[Path]:
        """Give a page that leads to the explorer, which nobody but the user can read.

        The command that starts a browser can be read by every user of the machine; it names this
        file, and not the token.
        """
        address = html.escape(self._address(self._app.invite()))
        with tempfile.TemporaryDirectory(prefix="seedmap-explorer-") as folder:
            path = Path(folder) / "explorer.html"
            path.write_text(REDIRECT.format(address=address), encoding="utf-8")
            yield path

    def start(self) -> "Explorer":
        """Serve in a thread, and return once the page can be opened.

        Raises
        ------
        OptionError
            If the server does not start.
        """
        self._thread = threading.Thread(target=self.run, name="seedmap-explorer", daemon=True)
        self._thread.start()
        late = time.monotonic() + WAIT
        while not self._server.started:
            if time.monotonic() > late or not self._thread.is_alive():
                msg = f"port {self.port}: the server did not start; try another port"
                raise OptionError(msg)
            time.sleep(0.005)
        return self

    def run(self) -> None:
        """Serve until stopped; Ctrl+C ends it where this is the main thread."""
        watch = threading.Thread(target=self._watch, daemon=True)
        if self._idle is not None:
            watch.start()
        self._server.run(sockets=[self._socket])

    def close(self) -> None:
        """Stop serving and let go of the run."""
        self._server.should_exit = True
        self._server.force_exit = True
        if self._thread is not None:
            self._thread.join(timeout=WAIT)
        self._socket.close()
        self.session.close()

    def _watch(self) -> None:
        """Stop the server when nothing has been asked for a while."""
        idle = 60.0 * (self._idle or 0.0)
        while (left := self._app.last_request + idle - time.monotonic()) > 0:
            time.sleep(min(left, 1.0) + 0.01)
        self._server.should_exit = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        """Show the page in a notebook.

        On this machine the frame takes the name under which the notebook itself was opened, since
        a cookie is not sent to a frame of another site; elsewhere it goes through the notebook
        server (jupyter-server-proxy), by an address relative to it.
        """
        frame = f"seedmap-{self.port}"
        script = FRAME_SCRIPT.format(
            frame=json.dumps(frame), port=self.port, token=json.dumps(self._app.invite())
        )
        plain = html.escape(f"http://{ADDRESS}:{self.port}/")
        return (
            f'<iframe id="{frame}" title="seedmap explorer" width="100%" height="{FRAME_HEIGHT}" '
            f'style="border:0" allow="clipboard-write"></iframe><script>{script}</script>'
            f"<noscript>The explorer is at {plain}</noscript>"
        )


REDIRECT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>seedmap explorer</title>
<meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url={address}">
</head><body><p>The explorer opens at <a href="{address}">this address</a>.</p></body></html>
"""
FRAME_SCRIPT = """
(() => {{
  const local = ["localhost", "127.0.0.1"].includes(location.hostname);
  const config = document.getElementById("jupyter-config-data");
  const base = (config && JSON.parse(config.textContent).baseUrl) || document.body.dataset.baseUrl || "/";
  const root = local ? `http://${{location.hostname}}:{port}/` : `${{base}}proxy/{port}/`;
  document.getElementById({frame}).src = root + "?token=" + {token};
}})();
"""


def begin_session(  # noqa: PLR0913  one argument a decision
    source: Explorable,
    *,
    out: Path | str = "seedmap-results",
    command: Command | None = None,
    anatomy: Any = None,
    atlas: Any = None,
    start: Sphere | VertexPatch | None = None,
    before: tuple[Sphere | VertexPatch, ...] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Session:
    """Clean a run and gather what the page shows beside it.

    Parameters
    ----------
    source
        The run.
    out
        The only folder that is ever written to.
    command
        How this run would be given to ``seedmap run``.
    anatomy
        Image to draw under the maps; None takes the MNI152 template for runs in MNI space, else
        the mean of the run.
    atlas
        Label image whose regions are outlined, named and taken as seeds, with a table (TSV: index,
        name) beside it; on surfaces two files, ``{"left": ..., "right": ...}``, or a dlabel.
    start
        Seed to begin with; None takes the first of `before`.
    before
        Seeds that were mapped before; the page lists them.
    progress
        Called as ``progress(done, total)``.
    """
    mni = in_mni_space(source.run.source, source.run.codes) or is_standard(source.run.source)
    session = Session(
        source=source,
        out=Path(out).expanduser().absolute(),
        command=command or Command(),
        start=start or (before[0] if before else PCC if mni else None),
        before=before,
    )
    session.furnish(anatomy, atlas, source.run.space, mni=mni)
    session.begin(progress)
    _fit_start(session)
    return session


def _fit_start(session: Session) -> None:
    """Begin in the middle of the brain where the usual place is not in it."""
    if session.start is None:
        return
    try:
        session.cleaned.live.seed_signal(session.start)
    except SeedmapError:
        session.start = None


def explore(  # noqa: PLR0913  the options of seed_maps, and where the page is shown
    bold: Any,
    *,
    beside: Any = None,
    confounds: Any = None,
    strategy: Any = None,
    sample_mask: Any = None,
    mask_img: Any = None,
    t_r: float | None = None,
    surfaces: Mapping[str, Any] | None = None,
    cleaning: Any = None,
    smoothing_fwhm: float | None = DEFAULT_FWHM,
    n_jobs: int | None = None,
    anatomy: Any = None,
    atlas: Any = None,
    start: Sphere | VertexPatch | None = None,
    out: Path | str = "seedmap-results",
    port: int = 0,
    allow_host: tuple[str, ...] = (),
) -> Explorer:
    """Explore a run: click a place, and its map is there. In a notebook the page appears below.

    Parameters
    ----------
    bold
        The run, as for `seedmap.seed_maps`; or maps that it returned (`SeedMaps`), or the folder
        of results of ``seedmap run``: their run is explored as it was cleaned, and their seeds
        are listed; or a stored run, the folder that ``seedmap bids --store`` wrote.
    beside
        A second run, given in the same way and explored with the same options, to be shown beside the
        first with one crosshair, one seed and one scale.
    confounds, strategy, sample_mask, mask_img, t_r, surfaces, cleaning, smoothing_fwhm, n_jobs
        As for `seedmap.seed_maps`; for maps and their folders they are those of the maps, and a
        stored run allows no others than its own.
    anatomy
        Image to draw under the maps; None takes the MNI152 template for runs in MNI space, else
        the mean of the run.
    atlas
        Label image whose regions are outlined, named and taken as seeds, with a table (TSV: index,
        name) beside it; on surfaces two files, ``{"left": ..., "right": ...}``, or a dlabel.
    start
        Seed to begin with.
    out
        Folder for what is saved, and for the log of the seeds that were looked at.
    port
        Port to listen on; 0 takes one that is free.
    allow_host
        Further host names under which the page is reached, such as that of a proxy.

    Returns
    -------
    Explorer
        With ``url`` to open in a browser, and ``close()`` to end it.

    Raises
    ------
    SeedmapError
        If the input cannot be used: see `seedmap.errors`.
    """
    inputs = Inputs(
        bold,
        confounds=confounds,
        strategy=strategy,
        sample_mask=sample_mask,
        mask_img=mask_img,
        t_r=t_r,
        surfaces=surfaces,
    )
    method = Method(cleaning=cleaning or Method.cleaning, smoothing_fwhm=smoothing_fwhm)

    def begin(number: int, folder: Path) -> Session:
        given = replace(inputs, bold=beside if number else bold)
        source, command, before = _opened(given, method, Limits(n_jobs=n_jobs))
        return begin_session(
            source,
            out=folder,
            command=command,
            anatomy=anatomy,
            atlas=atlas,
            start=start,
            before=before,
        )

    session = begin(0, Path(out)) if beside is None else begin_beside(begin, out)
    return Explorer(session, ServerOptions(port=port, allow_host=allow_host), framed=True).start()


def _opened(
    given: Inputs, method: Method, limits: Limits
) -> tuple[Explorable, Command, tuple[Sphere | VertexPatch, ...]]:
    """Open a run, a stored run, or the run behind maps with their seeds."""
    bold = given.bold
    if is_stored(bold):
        return open_source(given, method, limits), Command(str(bold), stored=True), ()
    if isinstance(bold, SeedMaps) or (isinstance(bold, str | Path) and Path(bold).is_dir()):
        recalled = recall(bold)
        source = open_source(recalled.inputs, recalled.method, limits)
        return source, recalled.command, recalled.seeds
    return open_source(given, method, limits), Command.of_call(given), ()


def serve(
    session: AnySession | Beside,
    options: ServerOptions,
    *,
    browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serve in the foreground until interrupted; say where the page is and open it."""
    explorer = Explorer(session, options)
    say(explorer.url)
    with explorer.address_file() as file:
        if browser:
            opening = threading.Timer(0.3, webbrowser.open, args=(file.as_uri(),))
            opening.daemon = True
            opening.start()
        try:
            explorer.run()
        except KeyboardInterrupt:
            pass
        finally:
            explorer.close()


def _bound_socket(port: int) -> socket.socket:
    # By its protocol asyncio knows it for TCP, and lets small packets go at once: else the body of
    # an answer waits up to 40 ms until its head was acknowledged.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((ADDRESS, port))
    except OSError as error:
        bound.close()
        msg = f"port {port}: cannot be listened on ({error.strerror}); choose another with --port"
        raise OptionError(msg) from error
    bound.listen(64)
    return bound


def _server(app: Guard) -> Any:
    import uvicorn

    from seedmap.explorer.web.connection import Connection

    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_level="error",  # of requests that are none, anybody could fill the screen
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _lower(hosts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(host.lower() for host in hosts)
