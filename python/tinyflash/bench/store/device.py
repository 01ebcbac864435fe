"""A device with a store, for trials: a few bytes of weights in a flash that fails on request."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.program import Buffer, Program, Space
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.store import NO_FAULTS, Faults, HostFlash, HostStore
from tinyflash.runtime.state import Header, pack
from tinyflash.runtime.store import Geometry

Learned = tuple[bytes, bytes]  # WEIGHTS and STATE


@dataclass(frozen=True)
class End:
    """The end of a call of the store: whether it reports success, and whether the power went."""

    succeeded: bool
    was_cut: bool
    words: int


class Device:
    """A model that only has memory, and a flash. Each call starts anew: memory is lost."""

    def __init__(self, geometry: Geometry, weights_bytes: int, name: str = "model") -> None:
        program = _program(weights_bytes, name)
        self.initial: Learned = (program.weights, program.state)
        self.session = HostSession(program)
        self.flash = HostFlash(geometry)

    @property
    def cells(self) -> bytes:
        return self.flash.cells

    @cells.setter
    def cells(self, content: bytes) -> None:
        self.flash.cells = content

    def start(self, faults: Faults = NO_FAULTS) -> HostStore:
        """Switches the power on, and opens the store. Raises ValueError if that fails."""
        self.flash.power_on(faults)
        store = HostStore(self.flash, self.session)
        if store.error:
            raise ValueError(f"the store cannot be opened: error {store.error}")
        return store

    def load(self, faults: Faults = NO_FAULTS) -> Learned:
        """Returns what the device has after a start."""
        self.start(faults).load()
        return self.now

    @property
    def now(self) -> Learned:
        """What the device has in memory."""
        return self.session.weights, self.session.state

    def save(self, learned: Learned, faults: Faults = NO_FAULTS, number: int | None = None) -> End:
        """Saves `learned`. number: of the record, in place of the next."""
        store = self.start(faults)
        self.session.weights, self.session.state = learned
        if number is not None:
            store.sequence = (number - 1) % 2**32
        return self._end(store.save())

    def factory(self, faults: Faults = NO_FAULTS) -> End:
        return self._end(self.start(faults).factory())

    def _end(self, error: int) -> End:
        return End(error == 0, self.flash.is_off, self.flash.words)


def _program(weights_bytes: int, name: str) -> Program:
    nowhere = Buffer(Space.ARENA, 0)
    return Program(
        name=name,
        infer=(), infer_calls=(), train=(), train_calls=(), records=(),
        flash=b"",
        weights=bytes(i % 251 for i in range(weights_bytes)),
        state=pack(Header(), []),
        arena_bytes=4,
        input=nowhere, output=nowhere, train_input=nowhere,
        input_bytes=1, output_bytes=1, classes=0,
    )  # fmt: skip


def learned(device: Device, number: int) -> Learned:
    """Returns weights and a state that tell `number`, in every byte."""
    weights = bytes((number * 37 + i * 11 + 5) % 256 for i in range(len(device.initial[0])))
    return weights, pack(Header(seed=number * 65_537 + 1, step=number), [])
