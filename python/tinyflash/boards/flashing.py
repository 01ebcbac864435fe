"""Flashes a board by a debug probe.

The chip is compared with the board before anything is erased. Only the sectors that the image
touches are erased, and none of them may be the store's. What was written is read back, then the
chip is reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from types import SimpleNamespace
from typing import Any

from tinyflash.boards.debug_probe import ANY_CHIP, choose, connected, one_line, opened, pyocd, quiet
from tinyflash.boards.description import Board
from tinyflash.boards.image import ERASED, Piece
from tinyflash.boards.packs import find_pack
from tinyflash.boards.probe_target import CORES, ProbeTarget
from tinyflash.errors import BoardError, BuildError

# Shows progress: called with what is done and the number of bytes, it yields a function that takes
# the bytes that are done.
Watch = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

_CPUID, _CPUID_SHIFT, _CPUID_MASK = 0xE000ED00, 4, 0xFFF
_AT_ONCE = 4096  # bytes that are read back
_MARK = 32  # bytes of a sector of the store by which its erasure is noticed


def flash_board(
    board: Board, pieces: Sequence[Piece], probe: str | None, factory: bool, watch: Watch
) -> str:
    """Erases, writes, reads back, resets. probe: a part of the ID of one; None: the only one.
    factory: also erases the board's store. Returns the ID. Raises BoardError or BuildError; then
    the board may have a part of the image, which the error says."""
    chip, ocd = _target_of(board, factory), pyocd()
    with quiet():
        job = _Job(ocd, board, chip, choose(ocd, board, probe))
        try:
            with opened(ocd, job.probe, chip.target, _pack_of(chip)) as session:
                job.flash(session, pieces, factory, watch)
        except (BoardError, BuildError):
            raise
        except Exception as error:  # of pyOCD, of the probe's driver, and assertions of both
            raise job.explained(error) from error
    return str(job.probe.unique_id)


def _target_of(board: Board, factory: bool) -> ProbeTarget:
    if board.probe is None:
        raise BoardError(
            f"board {board.name} has no [probe] in its board.toml; add it, or write the image with "
            "--format hex or bin for your own tool"
        )
    if factory and (board.store is None or board.store_address is None):
        raise BoardError(f"board {board.name} has no [store] with an address in its board.toml")
    return board.probe


def _pack_of(chip: ProbeTarget) -> str | None:
    """Returns the folder of the chip's pack, if that is added."""
    pack = None if chip.pack is None else find_pack(chip.pack)
    return None if pack is None else str(pack.folder)


class _Job:
    """One image for one chip. begun: whether something may have been erased."""

    def __init__(self, ocd: SimpleNamespace, board: Board, chip: ProbeTarget, probe: Any) -> None:
        self.ocd, self.board, self.chip, self.probe = ocd, board, chip, probe
        self.begun = False

    def flash(self, session: Any, pieces: Sequence[Piece], factory: bool, watch: Watch) -> None:
        """Raises BoardError, or what pyOCD raises."""
        if (wrong := self._wrong_chip(session.target)) is not None:
            raise BoardError(wrong)
        for piece in pieces:
            for sector in _sectors(session, piece.address, piece.end, self.board):
                self._check_sector(sector)
        stored = self._store_marks(session)
        size = sum(len(piece.data) for piece in pieces)
        self.begun = True
        with watch(f"writing {self.board.name}", size) as done:
            if factory:
                self._erase_store(session)
            loader = self.ocd.loader(session, progress=_phases(size, done))
            for piece in pieces:
                loader.add_data(piece.address, list(piece.data))
            loader.commit()
        with watch("reading it back", size) as done:
            self._verify(session, pieces, done)
        self._check_store(session, stored, factory)
        session.target.reset()

    def _check_sector(self, sector: range) -> None:
        """Raises BoardError if a sector that will be erased holds a part of the store."""
        store = self._store()
        if store is not None and sector.start < store.stop and store.start < sector.stop:
            raise BoardError(
                f"board {self.board.name}: the sector at 0x{sector.start:08x} has the end of the "
                "image and the beginning of the store; correct its board.toml"
            )

    # -- what the board has saved --

    def _store(self) -> range | None:
        at, store = self.board.store_address, self.board.store
        return None if at is None or store is None else range(at, at + store.size)

    def _store_marks(self, session: Any) -> dict[int, bytes | None]:
        """Returns the first bytes of each sector of the store, where a record has its head. None: a
        chip that checks its flash refuses to read a word whose writing was cut."""
        store = self._store()
        if store is None:
            return {}
        sectors = list(_sectors(session, store.start, store.stop, self.board))
        _make_readable(_region(session, store.start).flash, self.ocd.errors.FlashFailure)
        return {sector.start: self._mark(session.target, sector.start) for sector in sectors}

    def _mark(self, target: Any, address: int) -> bytes | None:
        try:
            return bytes(target.read_memory_block8(address, _MARK))
        except self.ocd.errors.TransferFaultError:
            return None

    def _erase_store(self, session: Any) -> None:
        store = self._store()
        assert store is not None
        for sector in list(_sectors(session, store.start, store.stop, self.board)):
            flash = _region(session, sector.start).flash
            flash.init(flash.Operation.ERASE)
            flash.erase_sector(sector.start)
            flash.cleanup()

    def _check_store(self, session: Any, before: dict[int, bytes | None], factory: bool) -> None:
        """Flash algorithms exist that erase one sector more than they were told."""
        for at, found in self._store_marks(session).items():
            if factory and found != bytes([ERASED]) * _MARK:
                raise BoardError(
                    f"board {self.board.name}: its store at 0x{at:08x} is not erased; flash again"
                )
            if not factory and before[at] is not None and found != before[at]:
                raise BoardError(
                    f"board {self.board.name}: the flash algorithm for {self.chip.target} changed "
                    f"the store at 0x{at:08x}, so that what the board saved may be lost; take "
                    "another pack of the chip"
                )

    # -- reading back --

    def _verify(self, session: Any, pieces: Sequence[Piece], done: Callable[[int], None]) -> None:
        read = 0
        for piece in pieces:
            for offset in range(0, len(piece.data), _AT_ONCE):
                expected = piece.data[offset : offset + _AT_ONCE]
                self._compare(session, piece.address + offset, expected)
                read += len(expected)
                done(read)

    def _compare(self, session: Any, address: int, expected: bytes) -> None:
        """Raises BoardError at the first byte that is not the image's."""
        found = bytes(session.target.read_memory_block8(address, len(expected)))
        for at, (want, got) in enumerate(zip(expected, found, strict=True), address):
            if want != got:
                raise BoardError(
                    f"board {self.board.name}: the flash at 0x{at:08x} keeps 0x{got:02x} instead "
                    f"of 0x{want:02x}; flash again, and if it stays so, that sector is worn"
                )

    # -- the right chip --

    def _wrong_chip(self, target: Any) -> str | None:
        """Returns why the chip is not the board's; None: it may be."""
        cpuid = target.read32(_CPUID)
        kind = cpuid >> _CPUID_SHIFT & _CPUID_MASK
        expected = CORES.get(self.board.core)
        if expected is not None and kind != expected:
            names = [name for name, number in CORES.items() if number == kind]
            core = names[0] if names else f"core with CPUID 0x{cpuid:08x}"
            return self._is_not(f"it has a {core}, not a {self.board.core}")
        if (known := self.chip.id) is None:
            return None
        try:
            found = target.read32(known.address) & known.mask
        except self.ocd.errors.TransferFaultError:
            return self._is_not(f"it has nothing at 0x{known.address:08x}")
        if found == known.value:
            return None
        return self._is_not(
            f"its ID at 0x{known.address:08x} is 0x{found:x}, not 0x{known.value:x}"
        )

    def _is_not(self, why: str) -> str:
        return (
            f"the chip behind the debug probe {self.probe.unique_id} is not the {self.board.mcu} "
            f"of {self.board.name}: {why}; nothing was erased"
        )

    def _other_chip(self) -> str | None:
        """Asks the chip as one of any kind: what its own kind needs may fail on another."""
        with (
            suppress(Exception),
            opened(self.ocd, self.probe, ANY_CHIP, connect_mode="attach") as session,
        ):
            return self._wrong_chip(session.target)
        return None

    # -- errors --

    def explained(self, error: Exception) -> BoardError | BuildError:
        """Returns the one line for what pyOCD raised."""
        reason, probe = one_line(error), self.probe.unique_id
        left = "; its program is not whole" if self.begun else "; nothing was erased"
        if isinstance(error, self.ocd.errors.TargetSupportError):
            return self._unsupported(reason)
        if self._is_gone():
            return BoardError(
                f"board {self.board.name}: the debug probe {probe} is gone ({reason}){left}; plug "
                "it in and flash again"
            )
        if not self.begun and (wrong := self._other_chip()) is not None:
            return BoardError(wrong)
        lock = "; its vendor's tool unlocks a locked chip, which erases all of it"
        return BoardError(
            f"board {self.board.name} by the debug probe {probe}: {reason}{left}; check cable and "
            f"power, then flash again{'' if self.begun else lock}"
        )

    def _unsupported(self, reason: str) -> BuildError:
        pack, target = self.chip.pack, self.chip.target
        if pack is None:
            return BuildError(f"pyOCD cannot flash the chip {target}: {reason}")
        if _pack_of(self.chip) is not None:
            return BuildError(f"the added pack {pack} has no chip {target}; add a newer one")
        return BuildError(
            f"pyOCD needs the pack of the chip {target}; run: tinyflash packs add {pack} "
            f"(or: pyocd pack install {target})"
        )

    def _is_gone(self) -> bool:
        with suppress(Exception):
            return all(one.unique_id != self.probe.unique_id for one in connected(self.ocd))
        return True


# ---- The chip's flash, as pyOCD describes it ----


def _region(session: Any, address: int) -> Any:
    target = session.target
    return target.memory_map.get_region_for_address(address, target.selected_core.node_name)


def _sectors(session: Any, start: int, end: int, board: Board) -> Iterator[range]:
    """Yields the sectors from an address to another. Raises BoardError where there is no flash."""
    while start < end:
        region = _region(session, start)
        if region is None or not region.is_flash or region.flash is None:
            raise BoardError(
                f"board {board.name}: pyOCD knows no flash at 0x{start:08x} of its chip; correct "
                "its board.toml"
            )
        sector = region.flash.get_sector_info(start)
        start = sector.base_addr + sector.size
        yield range(sector.base_addr, start)


def _make_readable(flash: Any, failure: type[Exception]) -> None:
    """Leaves flash as its algorithm does: what is behind a serial bus can be read only then."""
    try:
        flash.init(flash.Operation.VERIFY)
    except failure:  # not all algorithms know this operation
        flash.init(flash.Operation.ERASE)
    flash.cleanup()


def _phases(size: int, done: Callable[[int], None]) -> Callable[[float], None]:
    """Returns what takes pyOCD's progress, which counts from 0 to 1 twice: for erasing, the first
    half, and for writing."""
    past, last = 0.0, 0.0

    def take(amount: float) -> None:
        nonlocal past, last
        if amount < last:
            past = 0.5
        last = amount
        done(round(min(past + amount / 2, 1.0) * size))

    return take
