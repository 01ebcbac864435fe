"""Firmware images as files that flashing tools take: Intel HEX, raw bytes, UF2.

Intel HEX: Hexadecimal Object File Format Specification, revision A, 1988. UF2: Microsoft's
specification, https://github.com/microsoft/uf2.
"""

from __future__ import annotations

import os
import re
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tinyflash import files
from tinyflash.boards.description import Board
from tinyflash.boards.memory import FLASH
from tinyflash.errors import BoardError, BuildError

FORMATS = ("hex", "bin", "uf2")
ERASED = 0xFF  # a byte of flash that is not programmed
_LINE = 16  # bytes of a line of Intel HEX
_PAGE = 256  # bytes of a block of UF2, and what they are aligned to
_UF2 = struct.Struct("<8I476sI")
_UF2_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_UF2_HAS_FAMILY = 0x2000
_DRIVE_SAYS = "INFO_UF2.TXT"  # what every drive of a UF2 boot loader has
# The Board-ID in it, by the family of images (boot ROM of the RP2040, and of the RP2350).
_BOARD_IDS = {0xE48BFF56: "RPI-RP2", 0xE48BFF59: "RP2350"}
_STARTS_S, _LOOK_S = 2.0, 0.1  # until a drive goes, after the last block


@dataclass(frozen=True)
class Piece:
    """Bytes of an image, and where they are programmed."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        return self.address + len(self.data)


def pieces_of(elf: Path, board: Board) -> tuple[Piece, ...]:
    """Returns the parts of an image that are stored in flash, in ascending order. Raises BoardError
    if one is outside of the board's flash."""
    try:
        with elf.open("rb") as file:
            loaded = [s for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD"]
            stored = [s for s in loaded if s["p_filesz"]]
            found = [Piece(int(s["p_paddr"]), s.data()) for s in stored]
            whole = all(len(p.data) == s["p_filesz"] for p, s in zip(found, stored, strict=True))
    except Exception as error:  # a damaged file can provoke any of a dozen exceptions
        raise BuildError(f"{elf} is not a tinyflash firmware; run tinyflash build") from error
    if not found or not whole:
        raise BuildError(f"{elf} is not whole; run tinyflash build")
    for piece in found:
        _check(piece, board)
    found.sort(key=lambda piece: piece.address)
    for piece, after in pairwise(found):
        if after.address < piece.end:
            raise BuildError(f"{elf} has two contents at 0x{after.address:08x}; build it again")
    start = board.region(board.place.vectors).origin
    if not any(piece.address <= start < piece.end for piece in found):
        raise BuildError(
            f"{elf} has nothing at 0x{start:08x}, where the board starts; run tinyflash build"
        )
    return tuple(found)


def _check(piece: Piece, board: Board) -> None:
    flash = [region for region in board.regions if region.kind == FLASH]
    if any(piece.address in r.addresses and piece.end - 1 in r.addresses for r in flash):
        return
    there = ", ".join(f"0x{r.origin:08x} to 0x{r.origin + r.size - 1:08x}" for r in flash)
    raise BoardError(
        f"board {board.name}: the image has 0x{piece.address:08x} to 0x{piece.end - 1:08x}, "
        f"outside of its flash, {there}; correct its regions, or build for it"
    )


def encoded(pieces: Sequence[Piece], kind: str, board: Board) -> bytes:
    """Returns the content of a file. kind: of FORMATS."""
    if kind == "hex":
        return "".join(f"{line}\r\n" for line in _hex_lines(pieces)).encode("ascii")
    return _raw(pieces) if kind == "bin" else _uf2(pieces, board)


# ---- Raw bytes -----------------------------------------------------------------------------------


def _raw(pieces: Sequence[Piece]) -> bytes:
    """From the first address to the last; what is in between is erased."""
    start = pieces[0].address
    content = bytearray([ERASED]) * (pieces[-1].end - start)
    for piece in pieces:
        content[piece.address - start : piece.end - start] = piece.data
    return bytes(content)


# ---- Intel HEX -----------------------------------------------------------------------------------


def _hex_lines(pieces: Sequence[Piece]) -> Iterator[str]:
    upper = 0
    for piece in pieces:
        at = piece.address
        while at < piece.end:
            if at >> 16 != upper:
                upper = at >> 16
                yield _record(0, 4, upper.to_bytes(2, "big"))
            count = min(_LINE - at % _LINE, piece.end - at)
            start = at - piece.address
            yield _record(at & 0xFFFF, 0, piece.data[start : start + count])
            at += count
    yield _record(0, 1, b"")


def _record(address: int, kind: int, data: bytes) -> str:
    covered = bytes([len(data), address >> 8, address & 0xFF, kind]) + data
    return f":{covered.hex().upper()}{-sum(covered) & 0xFF:02X}"


# ---- UF2 -----------------------------------------------------------------------------------------


def _uf2(pieces: Sequence[Piece], board: Board) -> bytes:
    """A block for each page that the image touches; the rest of a page is erased."""
    if board.uf2_family is None:
        raise BoardError(
            f"board {board.name} takes no UF2 (uf2_family in its board.toml); write hex or bin"
        )
    pages: dict[int, bytearray] = {}
    for piece in pieces:
        for at, byte in enumerate(piece.data, piece.address):
            page = pages.setdefault(at // _PAGE, bytearray([ERASED]) * _PAGE)
            page[at % _PAGE] = byte
    first, second, last = _UF2_MAGIC
    return b"".join(
        _UF2.pack(
            *(first, second, _UF2_HAS_FAMILY, number * _PAGE, _PAGE, index, len(pages)),
            *(board.uf2_family, bytes(pages[number]), last),
        )
        for index, number in enumerate(sorted(pages))
    )


def copy_to_drive(content: bytes, drive: Path, board: Board) -> tuple[Path, bool]:
    """Writes a UF2 file to the drive of a boot loader, which programs and starts it. Returns the
    file, and whether the drive went afterwards: then the boot loader has started the image. Raises
    BoardError if it is no such drive, is another chip's, or ends during the copy."""
    try:
        says = files.read_bytes(drive / _DRIVE_SAYS, _PAGE * _PAGE).decode(errors="replace")
    except (OSError, ValueError) as error:
        raise BoardError(
            f"{drive} is not the drive of a boot loader: it has no {_DRIVE_SAYS}; hold the board's "
            "BOOTSEL button while you plug it in"
        ) from error
    _check_chip(says, drive, board)
    target = drive / f"{board.name}.uf2"
    try:
        with target.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or it waits in this computer until the drive is ejected
    except OSError as error:
        raise BoardError(
            f"{target}: {error.strerror}; if the board does not run, plug it in with its button "
            "held, and copy the image again"
        ) from error
    end = time.monotonic() + _STARTS_S
    while (stays := (drive / _DRIVE_SAYS).is_file()) and time.monotonic() < end:
        time.sleep(_LOOK_S)
    return target, not stays


def _check_chip(says: str, drive: Path, board: Board) -> None:
    """Raises BoardError if the drive is that of another chip, whose boot loader would take the file
    without a word, and not program it."""
    found = re.search(r"^Board-ID: *([^\s]+)", says, re.MULTILINE)
    own = _BOARD_IDS.get(board.uf2_family or 0)
    if found is not None and own not in (None, found[1]) and found[1] in _BOARD_IDS.values():
        raise BoardError(f"{drive} is the drive of a chip {found[1]}, not {own} as {board.name}")


def write_image(elf: Path, board: Board, kind: str) -> Path:
    """Writes an image beside its .elf, in a format of FORMATS. Returns the file."""
    target = elf.with_suffix(f".{kind}")
    files.write_bytes(target, encoded(pieces_of(elf, board), kind, board))
    return target
