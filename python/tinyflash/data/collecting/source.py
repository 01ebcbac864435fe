"""Where a sensor is reached: connects, and connects again after the link was lost."""

from __future__ import annotations

from collections.abc import Callable

from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.port import open_port, rate_of
from tinyflash.runtime.device.rate import HIGHER
from tinyflash.runtime.device.sensor import RemoteSensor

_PATIENCE_S = 0.5  # without a reply, until a command is sent again


class Source:
    """A board with a sensor. A context manager that closes the link.

    url: of its serial line. key: of a paired board. stopped: whether to give up waiting. gone:
    returns why the board cannot come back, as an emulator that has ended; None if it may.
    most_baud: the highest rate of the line to try.
    """

    def __init__(
        self,
        url: str,
        key: bytes | None = None,
        stopped: Callable[[], bool] = lambda: False,
        gone: Callable[[], str | None] = lambda: None,
        most_baud: int = HIGHER[0],
    ) -> None:
        self.url, self.gone = url, gone
        self._key, self._stopped, self._most_baud = key, stopped, most_baud
        self._session: DeviceSession | None = None
        self._is_waiting = False

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def connect(self) -> RemoteSensor:
        """Opens the link, again if it was open. Raises LinkError."""
        self.close()
        port = open_port(self.url)
        link = Link(port, self._why_dead, _PATIENCE_S, rate_of(port))
        self._is_waiting = True
        try:
            self._session = DeviceSession(link, None, self._key, self._most_baud)
        finally:
            self._is_waiting = False
        return self._session.sensor()

    @property
    def board(self) -> str:
        """The board's name, once it is connected."""
        return self._session.info.board if self._session is not None else ""

    def _why_dead(self) -> str | None:
        """A wait for the first answer also ends when the user has had enough."""
        return self.gone() or ("stopped" if self._is_waiting and self._stopped() else None)
