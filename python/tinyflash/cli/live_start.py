"""What a live run starts with: where it takes place, its samples, the model, the buffer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyflash.boards import Board, kernels_for
from tinyflash.boards.replay import write_replay
from tinyflash.cli import replay_option
from tinyflash.cli.live_options import LiveOptions
from tinyflash.cli.shown import Shown
from tinyflash.compiler import Prepared, compile_model
from tinyflash.compiler.plan import Effort
from tinyflash.data.splits import TRAIN
from tinyflash.errors import DataError
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.learned import Learned, load_learned
from tinyflash.runtime.replay import check_can_replay
from tinyflash.runtime.session import Session
from tinyflash.training.job import Watch, check_scores
from tinyflash.training.live.filling import divided, filled
from tinyflash.training.live.learner import Beginning, Settings
from tinyflash.training.live.replaying import Lived, Stream
from tinyflash.training.live.saving import load_interrupted, load_memory
from tinyflash.training.open import Ready, Running
from tinyflash.training.samples import Samples, Source, load_samples
from tinyflash.training.targets import objective_of

RING = 8192  # bytes of the board's memory for frames that no host has read yet


@dataclass(frozen=True)
class Place:
    """Where a run takes place: a board to compile for, or None for this computer; one that runs."""

    board: Board | None
    running: Running | None = None
    name: str = "host"


@dataclass(frozen=True)
class Data:
    """Samples of a live run, as files or sets."""

    stream: Path | None
    test: Path | None
    hop: int | None


@dataclass(frozen=True)
class Start:
    """resume: the learned.npz to go on from. new: its interrupted run does not go on."""

    resume: Path | None
    new: bool
    seed: int


@dataclass(frozen=True)
class Asked:
    """A live run, as the user asks for it."""

    prepared: Prepared
    data: Data
    place: Place
    rate: float
    watch: Watch
    given: LiveOptions
    start: Start
    effort: Effort
    rows: bool
    output: Path
    shown: Shown


def check_sensor(place: Place, given: LiveOptions) -> None:
    """Raises DataError if no sensor can be read."""
    if place.running is None and place.board is None:
        raise DataError("--live reads the sensor of a board; name it with --board or --port")
    if place.running is not None and given.sensor is not None:
        raise DataError("--sensor is for the emulator of --board; leave out --port")
    if place.running is None and given.sensor is None:
        raise DataError("an emulated board's sensor replays a recording; name it with --sensor")


def give_sensor(given: LiveOptions, output: Path) -> None:
    """Writes what the sensor of an emulated board gives."""
    if given.sensor is not None:
        output.mkdir(parents=True, exist_ok=True)
        write_replay(output, replay_option.chosen(given.sensor, None))


def name_of(session: Session) -> str:
    return session.info.board if isinstance(session, DeviceSession) else "host"


def load_stream(
    prepared: Prepared, data: Data, rate: float, watch: Watch, given: LiveOptions, seed: int
) -> tuple[Stream, Samples | None]:
    """Returns the stream, without windows if a person labels them, and the earlier samples that may
    be kept to replay."""
    if objective_of(prepared) is not None:
        raise DataError(
            "live learning needs labels, but the scheme's loss takes targets; an autoencoder "
            "learns without labels with --normal WINDOWS"
        )
    if watch.samples:
        check_scores(prepared)
    port, classes = prepared.whole.input, prepared.whole.output.shape[-1]

    def load(path: Path) -> Samples:
        source = Source.of(path)
        part = TRAIN if source.dataset is not None and TRAIN in source.dataset.splits else None
        return load_samples(replace(source, part=part, hop=data.hop), port, classes)

    nothing = Samples(np.zeros((0, *port.shape[1:]), np.int8), np.zeros(0, np.int64))
    windows = nothing if data.stream is None else load(data.stream)
    earlier = None if given.earlier is None else load(given.earlier)
    kept, held_out = divided(earlier, watch.samples, seed)
    test = nothing
    if data.test is not None:
        test = load_samples(Source.to_test(data.test, data.hop), port, classes)
    accumulate = prepared.scheme.optimizer.accumulate if prepared.scheme else 1
    settings = Settings(
        *(rate, given.replay, given.repeats, given.surprising, given.skips),
        *(watch.interval(accumulate), watch.tolerance),
    )
    return Stream(windows, test, settings, held_out, accumulate), kept


def make_ready(
    prepared: Prepared,
    samples: Samples | None,
    board: Board | None,
    slots: int,
    seed: int,
    rows: bool,
    effort: Effort,
) -> Ready:
    """samples: from which the exponents of gradients start."""
    pair = None if samples is None or not len(samples) else (samples.x, samples.y)
    compiled = compile_model(prepared, None, pair, seed, rows, effort, kernels_for(board))
    if slots:
        check_can_replay(compiled.program.classes, compiled.program.row_bytes)
    return Ready.of(compiled, board, slots)


def beginning_of(
    ready: Ready, stream: Stream, earlier: Samples | None, start: Start
) -> tuple[Beginning, Lived | None]:
    """Returns what the run starts with, and the interrupted run that it goes on from, if any."""
    program, slots = ready.compiled.program, stream.settings.slots
    learned, memory, begun = Learned.compiled(program), None, None
    if start.resume is not None:
        learned = load_learned(start.resume, program)
        memory = load_memory(start.resume, program, slots)
        if not start.new:
            begun = load_interrupted(start.resume, learned, stream, program)
    if slots and memory is None:
        memory = filled(ready.compiled, slots, start.seed, earlier, learned)
    guard = None if begun is None else begun.ending.guard
    return Beginning(learned, memory, stream.held_out, guard), begun
