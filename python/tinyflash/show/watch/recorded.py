"""The file of a command that can be watched, watch.json: what `tinyflash watch FOLDER` shows of it,
from another process or afterwards. A thread writes it once a second, and once more at the end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tinyflash import files
from tinyflash.boards.stale import report_of
from tinyflash.errors import DataError
from tinyflash.show.watch.live import SECTIONS, Live, as_json
from tinyflash.show.watch.observer import RUNNING, SILENT, Fields

if TYPE_CHECKING:
    from tinyflash.show.watch.watched import Watched

NAME, REPORT = "watch.json", "report.json"
EVERY_S = 1.0
SILENT_S = 10.0  # without a new file, although the command has not ended
_BEGUN = {"step", "signal"}  # a command without one of them has done nothing yet
LARGEST = 16 << 20  # bytes; a confusion matrix of 100 classes takes 50 KB


@contextmanager
def recorded(live: Live, folder: Path) -> Iterator[None]:
    """Keeps watch.json in a folder up to date. A disk that is full costs the file, not the run."""
    over = threading.Event()
    thread = threading.Thread(
        target=_record, args=(live, folder / NAME, over), name="record", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _record(live: Live, path: Path, over: threading.Event) -> None:
    seen, last = 0, False
    while not last:
        last = over.wait(EVERY_S)
        version, sections = live.since(0)
        if version > seen and sections.keys() & _BEGUN:
            seen = version
            with suppress(DataError, OSError):
                files.write_bytes(path, as_json(sections).encode())


class Recorded:
    """What a folder has of a command that runs, or has run. Raises DataError if it has nothing."""

    def __init__(self, folder: Path) -> None:
        self._path, self._report = folder / NAME, folder / REPORT
        self._stamps: dict[Path, tuple[int, int] | None] = {}
        self._sections = self._read()

    def show(self, live: Watched) -> None:
        """Shows what is new since the last call. A file that is damaged or gone changes nothing."""
        if self._is_new(self._path):
            with suppress(DataError):
                self._sections = self._read()
            live.show(self._sections)
        else:
            live.show(self._silence())
        if self._is_new(self._report):
            report = report_of(self._report.parent)
            live.use(report if report.get("hash") == self._sections["about"].get("hash") else None)

    def _read(self) -> Fields:
        try:
            return _sections(json.loads(files.read_bytes(self._path, LARGEST)))
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or "it is damaged"
            raise DataError(
                f"{self._path} cannot be shown: {reason}; name the folder that tinyflash train -o "
                "fills"
            ) from None

    def _is_new(self, path: Path) -> bool:
        """Whether a file has changed since the last call, or has come, or has gone."""
        try:
            found = path.stat()
            stamp = found.st_mtime_ns, found.st_ino
        except OSError:
            stamp = None
        before, self._stamps[path] = self._stamps.get(path), stamp
        return before != stamp

    def _silence(self) -> Fields:
        """Says so once if a command that has not ended writes no more: it was killed."""
        about, stamp = self._sections["about"], self._stamps[self._path]
        age = 0.0 if stamp is None else time.time() - stamp[0] / 1e9
        if about["state"] == RUNNING and age > SILENT_S:
            self._sections["about"] = {**about, "state": SILENT}
            return {"about": self._sections["about"]}
        return {}


def _sections(found: object) -> Fields:
    """Raises ValueError if the content of a file is not what a command writes."""
    if not isinstance(found, dict):
        raise ValueError
    about = found.get("about")
    if not isinstance(about, dict) or not isinstance(about.get("state"), str):
        raise ValueError
    if isinstance(found.get("teaching"), dict):
        found["teaching"]["takes"] = False  # nothing reaches the command from here
    return {name: found[name] for name in SECTIONS if isinstance(found.get(name), dict)}
