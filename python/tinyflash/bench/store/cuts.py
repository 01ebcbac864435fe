"""Power cuts at every word of a save, from every state of the slots, and in random sequences."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import product

from tinyflash.bench.store.device import Device, End, Learned, learned
from tinyflash.runtime.host.store import HEAD_BYTES, NO_FAULTS, WORD, Faults
from tinyflash.runtime.state import HEADER_BYTES
from tinyflash.runtime.store import Geometry

TEARS = (0, 1, 2, 3)  # seeds of torn words; an odd one tears the erase of a whole sector
STUCK = ((1, 0), (1, 1), (1 << 31, 0), (1 << 31, 1 << 31))  # masks, and bits that never change
_NEW = 77  # tells what is being saved
_LOADS = 12  # of a random sequence

Act = Callable[[Device, Faults], End]
Listen = Callable[[int], None]


class Slot(Enum):
    """What a slot may hold before a save."""

    ERASED = "erased"
    ZEROS = "zeros"
    LEARNED = "a record"
    TORN_DATA = "a record whose data was cut off"
    TORN_HEAD = "a record whose head was cut off"
    OTHER = "a record of another model"
    FACTORY = "the record that says factory"


@dataclass(frozen=True)
class Counts:
    """Starts after a fault, by what the device then had. old, new: that, whole."""

    cuts: int = 0
    old: int = 0
    new: int = 0
    neither: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.cuts + other.cuts,
            self.old + other.old,
            self.new + other.new,
            self.neither + other.neither,
        )


@dataclass(frozen=True)
class Trial:
    """A flash with room for `slots` records of a model."""

    slots: int
    page_bytes: int
    sector_bytes: int = 128
    weights_bytes: int = 60

    @property
    def name(self) -> str:
        return f"{self.slots} slots of {self.slot_bytes} bytes, pages of {self.page_bytes}"

    @property
    def slot_bytes(self) -> int:
        record = max(HEAD_BYTES, self.page_bytes) + self.weights_bytes + HEADER_BYTES
        return -(-record // self.sector_bytes) * self.sector_bytes

    @property
    def geometry(self) -> Geometry:
        sectors = self.slots * self.slot_bytes // self.sector_bytes
        return Geometry(sectors, self.sector_bytes, self.page_bytes)

    def device(self, name: str = "model") -> Device:
        return Device(self.geometry, self.weights_bytes, name)


# ---- From every state of the slots ----


def priors(trial: Trial) -> Iterator[bytes]:
    """Yields the bytes of a flash for every combination of what its slots may hold, and every slot
    as the newest."""
    seen = set()
    for kinds, newest in product(product(Slot, repeat=trial.slots), range(trial.slots)):
        # a slot's record is the newer the later its turn
        turns = [(slot - newest - 1) % trial.slots for slot in range(trial.slots)]
        content = b"".join(
            _slot(trial, kind, turn) for kind, turn in zip(kinds, turns, strict=True)
        )
        if content not in seen:
            seen.add(content)
            yield content


def _slot(trial: Trial, kind: Slot, turn: int) -> bytes:
    """Returns the bytes of a slot, written by the store itself on a flash of its own."""
    size = trial.slot_bytes
    if kind in (Slot.ERASED, Slot.ZEROS):
        return (b"\xff" if kind is Slot.ERASED else b"\0") * size
    device = trial.device("other" if kind is Slot.OTHER else "model")
    if kind is Slot.FACTORY:
        device.save(learned(device, turn), number=turn + 1)
        device.factory()
        return device.cells[size : 2 * size]
    device.save(learned(device, turn), number=turn + 1)
    whole = device.cells[:size]
    if kind is Slot.TORN_DATA:  # of a save that had a whole head from the start
        middle = max(HEAD_BYTES, trial.page_bytes) + trial.weights_bytes // 2
        return whole[:middle] + b"\xff" * (size - middle)
    if kind is Slot.TORN_HEAD:
        return whole[: HEAD_BYTES - WORD] + b"\xff" * WORD + whole[HEAD_BYTES:]
    return whole


def cut_everywhere(trial: Trial, prior_states: Sequence[bytes], listen: Listen) -> Counts:
    """Cuts saves and returns to factory at every word, from every prior state, with every tear."""
    device, total = trial.device(), Counts()
    for done, prior in enumerate(prior_states):
        for act, new in _acts(device):
            total += _cut(device, prior, act, new)
        listen(done + 1)
    return total


def _acts(device: Device) -> tuple[tuple[Act, Learned], ...]:
    """Returns what is cut, and what the device has if it succeeds."""
    new = learned(device, _NEW)
    return (
        (lambda d, faults: d.save(new, faults), new),
        (lambda d, faults: d.factory(faults), device.initial),
    )


def _cut(device: Device, prior: bytes, act: Act, new: Learned, stuck: Faults = NO_FAULTS) -> Counts:
    """Cuts one act at every word."""
    device.cells = prior
    old = device.load(stuck)
    words = act(device, stuck).words
    total = Counts()
    for left, tear in product(range(words), TEARS):
        device.cells = prior
        end = act(device, replace(stuck, words_left=left, tear=tear))
        assert end.was_cut and not end.succeeded
        total += _judge(device, old, new, stuck) + Counts(cuts=1)
        if stuck == NO_FAULTS and not _recovers(device):
            total += Counts(neither=1)
    return total


def _judge(device: Device, old: Learned, new: Learned, stuck: Faults = NO_FAULTS) -> Counts:
    found = device.load(stuck)
    return Counts(
        old=found == old, new=found == new and new != old, neither=found not in (old, new)
    )


def _recovers(device: Device) -> bool:
    """Whether the next save succeeds, and is what a start then finds."""
    next_one = learned(device, _NEW + 1)
    return device.save(next_one).succeeded and device.load() == next_one


# ---- Stuck bits ----


def stick_everywhere(trial: Trial, listen: Listen) -> Counts:
    """Saves with a bit stuck in each word of the flash: without a cut, and cut at every word."""
    device, total = trial.device(), Counts()
    prior = b"".join(_slot(trial, Slot.LEARNED, turn) for turn in range(trial.slots))
    (save, new), _ = _acts(device)
    for at in range(0, trial.geometry.size, WORD):
        for mask, bits in STUCK:
            stuck = Faults(stuck_at=at, stuck_mask=mask, stuck_bits=bits)
            device.cells = prior
            old = device.load(stuck)
            saved = save(device, stuck).succeeded
            found = device.load(stuck)
            total += Counts(
                cuts=1,
                old=not saved and found == old,
                new=saved and found == new,
                neither=found != (new if saved else old),
            )
            total += _cut(device, prior, save, new, stuck)
        listen(at // WORD + 1)
    return total


# ---- Random sequences ----


def random_sequences(trial: Trial, count: int, seed: int, listen: Listen) -> Counts:
    """Saves, cuts, loads and returns to factory, in random order, each sequence from an erased
    flash; a third of them with a bit that is stuck from the start."""
    device, total = trial.device(), Counts()
    for done in range(count):
        total += _sequence(device, trial, random.Random(seed * 1_000_003 + done))
        listen(done + 1)
    return total


def _sequence(device: Device, trial: Trial, draw: random.Random) -> Counts:
    device.cells = b"\xff" * trial.geometry.size
    stuck, total = _stuck(trial, draw), Counts()
    old = device.load(stuck)
    for step in range(_LOADS):
        new = device.initial if draw.random() < 0.1 else learned(device, step + 1)
        left = draw.choice((NO_FAULTS.words_left, draw.randrange(2 * trial.geometry.size // WORD)))
        faults = replace(stuck, words_left=left, tear=draw.randrange(1 << 16))
        act = device.factory(faults) if new == device.initial else device.save(new, faults)
        allowed = [new] if act.succeeded else [old, new]
        found = device.load(stuck)
        total += Counts(
            cuts=1,
            old=found == old and found != new,
            new=found == new,
            neither=found not in allowed,
        )
        old = found
    return total


def _stuck(trial: Trial, draw: random.Random) -> Faults:
    if draw.random() > 1 / 3:
        return NO_FAULTS
    at = WORD * draw.randrange(trial.geometry.size // WORD)
    mask = 1 << draw.randrange(32)
    return Faults(stuck_at=at, stuck_mask=mask, stuck_bits=mask * draw.randrange(2))
