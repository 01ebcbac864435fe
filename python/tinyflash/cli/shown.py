"""What the page of a command that trains says at its beginning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyflash.boards.stale import report_of
from tinyflash.data.dataset import is_dataset, load
from tinyflash.show.report import make_report
from tinyflash.show.watch.observer import About
from tinyflash.show.watch.watched import Wanted, Watched
from tinyflash.training.open import Ready


@dataclass(frozen=True)
class Shown:
    """The page that the user wants, the title, and the samples, which may name their classes;
    otherwise `classes` does."""

    wanted: Wanted
    title: str
    data: Path | None
    classes: tuple[str, ...] = ()

    def begin(self, page: Watched, command: str, board: str, ready: Ready, folder: Path) -> None:
        """Tells what begins. If there is a page, shows the report of the folder, which may know an
        image; without it, one of this model."""
        is_set = self.data is not None and is_dataset(self.data)
        classes = load(self.data).classes if self.data and is_set else self.classes
        page.begin(About(command, self.title, board, ready.hash, classes))
        if self.wanted.serves:
            there = report_of(folder)
            is_mine = there.get("hash") == ready.hash
            page.use(there if is_mine else make_report(ready.compiled, ready.fit))
