"""Images as files for flashing tools, against objcopy and the published layout of UF2."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.commands import refused, tinyflash
from tests.support.firmware import MODEL

from tinyflash.boards import image, load_board
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.image import Piece, encoded, pieces_of
from tinyflash.boards.memory import FLASH
from tinyflash.errors import BoardError, BuildError

PICO = load_board("raspberrypi_pico")
OBJCOPY = "arm-none-eabi-objcopy"
FAR = (Piece(0x0800FFF9, bytes(range(1, 30))), Piece(0x08020002, b"abc"))  # across 64 KB, apart


@pytest.fixture(scope="module", name="elf")
def _elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_firmware(MODEL, PICO, tmp_path_factory.mktemp("pico"))


def objcopied(source: Path, kind: str, folder: Path, *options: str) -> bytes:
    """The same image by binutils, as raw bytes."""
    target = folder / "objcopied.bin"
    command = [OBJCOPY, "-I", kind, "-O", "binary", "--gap-fill", "0xff", *options, source, target]
    subprocess.run(command, check=True)
    return target.read_bytes()


def test_hex_and_bin_are_what_objcopy_makes(elf: Path, tmp_path: Path) -> None:
    pieces = pieces_of(elf, PICO)
    raw = encoded(pieces, "bin", PICO)
    assert raw == objcopied(elf, "elf32-littlearm", tmp_path, "-j", ".text", "-j", ".data")
    (tmp_path / "image.hex").write_bytes(encoded(pieces, "hex", PICO))
    assert objcopied(tmp_path / "image.hex", "ihex", tmp_path) == raw


def test_pieces_that_are_apart(tmp_path: Path) -> None:
    raw = encoded(FAR, "bin", PICO)
    assert len(raw) == 0x08020005 - 0x0800FFF9
    assert raw[:29] + raw[-3:] == bytes(range(1, 30)) + b"abc"
    assert set(raw[29:-3]) == {0xFF}
    (tmp_path / "far.hex").write_bytes(encoded(FAR, "hex", PICO))
    assert objcopied(tmp_path / "far.hex", "ihex", tmp_path) == raw


@pytest.mark.parametrize("apart", [False, True])
def test_uf2_has_the_published_layout(apart: bool, elf: Path) -> None:
    pieces = FAR if apart else pieces_of(elf, PICO)
    content, memory = encoded(pieces, "uf2", PICO), {}
    blocks = [content[at : at + 512] for at in range(0, len(content), 512)]
    for index, block in enumerate(blocks):
        magics = struct.unpack_from("<II", block) + struct.unpack_from("<I", block, 508)
        assert magics == (0x0A324655, 0x9E5D5157, 0x0AB16F30)
        flags, address, size, number, total, family = struct.unpack_from("<6I", block, 8)
        assert (flags, size, number, total) == (0x2000, 256, index, len(blocks))
        assert family == 0xE48BFF56  # RP2040_FAMILY_ID
        assert address % 256 == 0
        memory |= {address + i: block[32 + i] for i in range(size)}
    for piece in pieces:
        assert bytes(memory[piece.address + i] for i in range(len(piece.data))) == piece.data


def test_an_image_outside_of_the_flash_is_refused(elf: Path) -> None:
    """A board whose flash begins elsewhere, or is too small."""
    for change in ({"origin": 0x20000000}, {"size": 4096}):
        regions = tuple(replace(r, **change) if r.kind == FLASH else r for r in PICO.regions)
        with pytest.raises(BoardError, match=r"0x10000000 to 0x1000\w+, outside of its flash, 0x"):
            pieces_of(elf, replace(PICO, regions=regions))


@pytest.mark.parametrize(
    ("at", "value"),
    [(44, b"\xff\xff"), (28, b"\xf0\xff\xff\x7f"), (16, b"\xff\xff\xff\xff")],
    ids=["no segments", "segments nowhere", "a segment beyond the file"],
)
def test_a_damaged_file_is_refused(at: int, value: bytes, elf: Path, tmp_path: Path) -> None:
    """Fields of the header; the last one is of the first program header (System V ABI, figures 4-3
    and 5-1)."""
    content = bytearray(elf.read_bytes())
    if at == 16:
        at += struct.unpack_from("<I", content, 28)[0]
    content[at : at + len(value)] = value
    (tmp_path / "firmware.elf").write_bytes(content)
    with pytest.raises(BuildError, match=r"firmware\.elf is not .*; run tinyflash build"):
        pieces_of(tmp_path / "firmware.elf", PICO)


def test_an_image_without_its_start_is_refused(elf: Path, tmp_path: Path) -> None:
    """As a file that lost a segment: of the first program header with content, the size is 0."""
    content = bytearray(elf.read_bytes())
    first = struct.unpack_from("<I", content, 28)[0]
    headers = range(first, first + 32 * struct.unpack_from("<H", content, 44)[0], 32)
    at = next(h for h in headers if struct.unpack_from("<I", content, h + 12)[0] == 0x10000000)
    struct.pack_into("<I", content, at + 16, 0)
    (tmp_path / "firmware.elf").write_bytes(content)
    with pytest.raises(BuildError, match="has nothing at 0x10000000, where the board starts"):
        pieces_of(tmp_path / "firmware.elf", PICO)


def test_the_command(tmp_path: Path) -> None:
    build_firmware(MODEL, load_board("qemu_stm32f405"), tmp_path)
    for kind in ("hex", "bin"):
        result = tinyflash("flash", tmp_path, "--format", kind)
        assert result.exit_code == 0, result.output
        assert f"firmware.{kind}: " in result.stdout
        assert "0x08000000 to 0x0800" in result.stdout
    store = load_board("qemu_stm32f405").store
    assert store is not None
    (tmp_path / "flash.bin").write_bytes(b"saved".ljust(store.size, b"\xff"))
    assert "is emulated; it has no debug probe" in refused("flash", tmp_path, "--probe", "1")
    for options, left in ((["--exit-after", "0"], b"saved"), (["--factory"], b"")):
        done = tinyflash("flash", tmp_path, "--exit-after", "0", *options)
        assert done.exit_code == 0, done.output
        assert (tmp_path / "flash.bin").read_bytes().startswith(left)
    assert b"saved" not in (tmp_path / "flash.bin").read_bytes()
    said = refused("flash", tmp_path, "--format", "uf2")
    assert "board qemu_stm32f405 takes no UF2 (uf2_family in its board.toml)" in said


def test_a_drive_of_a_boot_loader(
    elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "_STARTS_S", 0.2)
    said = refused("flash", elf.parent, "--drive", tmp_path)
    assert "is not the drive of a boot loader: it has no INFO_UF2.TXT" in said
    info = tmp_path / "INFO_UF2.TXT"
    info.write_text("UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n")
    result = tinyflash("flash", elf.parent, "--drive", tmp_path)
    assert result.exit_code == 0, result.output
    assert "not run on hardware" in result.stdout
    assert "the drive is still there: if it stays, its boot loader did not take" in result.stdout
    expected = encoded(pieces_of(elf, PICO), "uf2", PICO)
    assert (tmp_path / "raspberrypi_pico.uf2").read_bytes() == expected


def test_a_drive_that_goes_when_it_has_the_image(
    elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "INFO_UF2.TXT"
    info.write_text("Board-ID: of-another-loader\r\n")
    monkeypatch.setattr(image.os, "fsync", lambda _file: info.unlink())
    result = tinyflash("flash", elf.parent, "--drive", tmp_path, "--json")
    assert json.loads(result.stdout)["drive_went"] is True
    info.write_text("Board-ID: RPI-RP2\r\n")

    def torn(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(image.os, "fsync", torn)
    said = refused("flash", elf.parent, "--drive", tmp_path)
    assert "raspberrypi_pico.uf2: Input/output error; if the board does not run, plug it in" in said


def test_a_drive_of_another_chip(elf: Path, tmp_path: Path) -> None:
    """Its boot loader would take the file, and program nothing."""
    (tmp_path / "INFO_UF2.TXT").write_text("UF2 Bootloader v1.0\r\nBoard-ID: RP2350\r\n")
    said = refused("flash", elf.parent, "--drive", tmp_path)
    assert said.endswith("is the drive of a chip RP2350, not RPI-RP2 as raspberrypi_pico")
    assert not (tmp_path / "raspberrypi_pico.uf2").exists()


def test_without_pyocd(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pyocd", "pyocd.core", "pyocd.core.exceptions"):
        monkeypatch.setitem(sys.modules, module, None)
    said = refused("flash", elf.parent)
    assert "flashing by a debug probe needs pyOCD; run: " in said
    assert "-m pip install pyocd, or write the image with --format" in said
