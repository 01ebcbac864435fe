"""A command that can be watched: its news, the page in a browser if that is wanted, and the file
that other processes read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinyflash.show.console import tell
from tinyflash.show.watch.live import Live
from tinyflash.show.watch.observer import FAILED, FINISHED, STOPPED, Fields
from tinyflash.show.watch.page import as_html
from tinyflash.show.watch.recorded import recorded


@dataclass(frozen=True)
class Wanted:
    """What the user wants of a page: whether to serve it, and on which port; 0: any."""

    serves: bool = False
    port: int = 0


class Watched(Live):
    """The news of a command, and the report whose memory its page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""  # of the page, if it is served
        self._shown = _Shown(None, 0)
        self._made: tuple[_Shown, str] | None = None

    def use(self, report: Fields | None) -> None:
        """Shows another report; an empty one is none. Browsers load the page again."""
        self._shown = _Shown(report or None, self._shown.version + 1)
        self.new_page(self._shown.version)

    def page(self) -> str:
        """Returns the page. A report of another version, or damaged, is none. Browsers ask in
        threads of their own, also while another report comes."""
        shown, made = self._shown, self._made
        if made is None or made[0] is not shown:
            try:
                html = as_html(shown.report, shown.version)
            except Exception:  # a report of another version can provoke any of a dozen exceptions
                html = as_html(None, shown.version)
            self._made = made = shown, html
        return made[1]


@dataclass(frozen=True, eq=False)
class _Shown:
    """A report, and the version of the page that shows it."""

    report: Fields | None
    version: int


@contextmanager
def watched(wanted: Wanted, folder: Path | None = None) -> Iterator[Watched]:
    """Lets a command be watched while it runs, and says where. folder: of its files, for
    watch.json. Raises DataError if the port is in use."""
    with ExitStack() as stack:
        live = Watched()
        if wanted.serves:
            from tinyflash.show.watch.server import Server  # 10 MB: only for a page

            server = stack.enter_context(Server(live, live.page, wanted.port))
            live.url = server.url
            tell(f"watch it at {live.url}")
        if folder is not None:
            stack.enter_context(recorded(live, folder))
        try:
            yield live
        except KeyboardInterrupt:
            live.end(STOPPED)
            raise
        except Exception:
            live.end(FAILED)
            raise
        if not live.ended:
            live.end(FINISHED)
