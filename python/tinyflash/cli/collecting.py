"""What `tinyflash collect` is made of: the board, the sensor, the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tinyflash.boards import Board, load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import firmware_board
from tinyflash.boards.replay import Replay, write_replay
from tinyflash.boards.sensor_only import build_sensor_only
from tinyflash.boards.stale import check_image
from tinyflash.cli import replay_option
from tinyflash.cli.labelling import Watch
from tinyflash.cli.stopping import Stop
from tinyflash.data.collecting.recorder import Plan, Recorder
from tinyflash.data.collecting.source import Source
from tinyflash.data.dataset import Recording
from tinyflash.data.windows import cut
from tinyflash.errors import BoardError, DataError, LinkError, TinyflashError, warn
from tinyflash.files import cache_dir
from tinyflash.show.console import output, say, table, tell
from tinyflash.show.live import LiveView
from tinyflash.spectrogram import RAW, Spectrogram, parse
from tinyflash.training.open import Running


@dataclass(frozen=True)
class Replayed:
    """What an emulated board's sensor is to give: the options --replay, --rate and --features."""

    replay: str | None
    rate: float | None
    front_end: str


@contextmanager
def opened_source(
    image: Path | None,
    board: str | None,
    running: Running | None,
    asked: Replayed,
    stop: Stop,
) -> Iterator[tuple[Source, str]]:
    """Yields the board's link, not yet connected, and what the recordings come from."""
    if running is not None:
        if asked.replay is not None or image is not None:
            raise DataError("--replay and FOLDER are for the emulator of --board; leave out --port")
        _check_own_front_end(asked.front_end, "a board at --port")
        with Source(running.port, running.pairing_key, stop, most_baud=running.most_baud) as source:
            yield source, running.port
        return
    if board is None and image is None:
        raise DataError("nothing to collect from; give --port of a board, or --board")
    if asked.replay is None:
        raise DataError("an emulated board's sensor replays a recording; name it with --replay")
    given = replay_option.chosen(asked.replay, asked.rate)
    target, elf, folder = _firmware(image, board, _front_end(asked.front_end, given))
    write_replay(folder, given)
    flash = folder if image is not None and target.store is not None else None
    with (
        Emulator(target, elf, flash=flash, sensor=folder) as emulator,
        Source(emulator.url, None, stop, emulator.why_dead) as source,
    ):
        yield source, f"{target.name}, replay of {given.name}"


def _check_own_front_end(front_end: str, what: str) -> None:
    if front_end != RAW:
        raise DataError(
            f"--features is for firmware that collect builds; {what} has that of its own: "
            "tinyflash build --features"
        )


def _front_end(text: str, given: Replay) -> Spectrogram | None:
    """Returns the front end of a board that replays a recording. Raises DataError if it has
    none."""
    if text == RAW:
        return None
    settings = parse(text, given.rate)
    if given.frames.shape[1:] != (1,) or settings.rate != given.rate:
        shape, rate = list(given.frames.shape[1:]), f"{given.rate:g}"
        raise DataError(
            f"{settings.text} is of one channel; {given.name} has frames of {shape}, {rate} per "
            "second"
        )
    if not settings.count(len(given.frames)):
        raise DataError(f"{given.name} is shorter than a window of {settings.window} samples")
    return settings


def _firmware(
    image: Path | None, name: str | None, features: Spectrogram | None
) -> tuple[Board, Path, Path]:
    """Returns an emulated board, its firmware, and the folder to run it in: the user's, or one that
    only collects."""
    if image is None:
        board = load_board(name or "")
        _check_emulated(board)
        folder = cache_dir() / "collect" / board.name
        say(f"building firmware for {board.name} that collects")
        return board, build_sensor_only(board, folder, features), folder
    _check_own_front_end(RAW if features is None else features.text, str(image))
    elf = image / "firmware.elf"
    built = firmware_board(elf)
    board = load_board(built if name is None else name)
    if board.name != built:
        raise BoardError(f"{elf} was built for board {built}, not {board.name}")
    _check_emulated(board)
    check_image(elf, name)
    return board, elf, image


def _check_emulated(board: Board) -> None:
    if not board.emulated:
        raise BoardError(f"board {board.name} is not emulated; name its serial port with --port")


def record(
    folder: Path, source: Source, plan: Plan, watch: Watch
) -> tuple[Recorder, TinyflashError | None]:
    """Collects. Returns what was collected, and what ended it early, if anything."""
    recorder = _begun(folder, source, plan, watch)
    info = recorder.progress.info
    say(
        f"{source.board}: {info.name}, {info.rate:g} frames of {list(info.shape)} per second; the "
        f"board keeps the last {info.room:,}"
    )
    watch.view = LiveView(f"{source.board}: {info.name}", watch.labels.hint)
    try:
        with watch.view:
            recorder.run()
    except (LinkError, DataError) as error:
        return recorder, error
    return recorder, None


def _begun(folder: Path, source: Source, plan: Plan, watch: Watch) -> Recorder:
    """Connects. A user who stops it meanwhile has seen no failure."""
    try:
        return Recorder(folder, source, plan, watch.controls())
    except LinkError:
        if not watch.stop():
            raise
    tell(f"stopped by {watch.stop.reason} before the board answered; nothing was recorded")
    raise click.exceptions.Exit(watch.stop.exit_code)


class Report:
    """What was collected, for a person or a program."""

    def __init__(self, recorder: Recorder, window: int | None, hop: int | None) -> None:
        now, dataset = recorder.progress, recorder.dataset
        self._now, self._dataset = now, dataset
        self._recordings = [dataset.recording(name) for name in now.recordings]
        self._window, self._hop = window, hop or max(1, (window or 1) // 2)
        if now.lost != now.lost_by_board:
            warn(
                f"the board counts {now.lost_by_board:,} lost frames, the gaps have {now.lost:,}; "
                "another host may have read its sensor meanwhile"
            )

    def tell(self, as_json: bool) -> None:
        """Prints it."""
        if as_json:
            click.echo(json.dumps(self._as_json(), indent=2))
            return
        rate = self._now.info.rate
        rows = table(
            f"{self._dataset.folder}: collected",
            *("recording", ">frames", ">time", ">gaps", ">missing"),
            *([">windows"] if self._window else []),
        )
        for one in self._recordings:
            time = f"{one.count / rate:.1f} s"
            cells = (f"{one.count:,}", time, f"{len(gaps_of(one)):,}", f"{one.missing:,}")
            rows.add_row(one.name, *cells, *([f"{self._windows(one):,}"] if self._window else []))
        output(markup=False).print(rows)

    def _windows(self, one: Recording) -> int:
        assert self._window is not None
        return len(cut(self._dataset, [one], self._window, self._hop).y)

    def _as_json(self) -> dict[str, Any]:
        now = self._now
        return {
            "set": str(self._dataset.folder),
            "sensor": now.info.name,
            "rate": now.info.rate,
            "frames": now.kept,
            "lost": now.lost,
            "lost_by_board": now.lost_by_board,
            "link_cuts": now.cuts,
            "recordings": [
                {
                    "name": one.name,
                    "frames": one.count,
                    "missing": one.missing,
                    "gaps": gaps_of(one),
                    **({"windows": self._windows(one)} if self._window else {}),
                }
                for one in self._recordings
            ],
        }


def gaps_of(recording: Recording) -> list[tuple[int, int]]:
    """Returns each gap as its first frame, and the first frame after it."""
    found, end = [], 0
    for piece in recording.pieces:
        if piece.first > end:
            found.append((end, piece.first))
        end = piece.first + piece.count
    return found
