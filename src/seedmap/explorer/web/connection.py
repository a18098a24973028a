"""A connection of the explorer's server, closed where no request arrives."""

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Connection"]

SILENT = 10.0  # s until a connection on which no whole request arrives is closed
MOST = 128  # connections; a window of a browser opens six


class Connection(H11Protocol):  # type: ignore[misc]
    """uvicorn's connection, which waits for a first request, or the rest of one, for ever."""

    _late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:
        """Begin to wait for a request; close at once where there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.close()
        self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = self.loop.call_later(SILENT, self._close_if_silent)

    def _close_if_silent(self) -> None:
        """Close unless a request is being answered, whose end begins to wait anew."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
