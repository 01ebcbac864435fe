"""Building firmware: the board's real memory, readable sources, one clear line for each failure."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from tests.support.compilers import path_without_stand_ins
from tests.support.firmware import EMULATED, ROOMY, UNLIKE

from tinyflash.boards import Board, boards, load_board, read_board
from tinyflash.boards import firmware as build
from tinyflash.boards.firmware import build_firmware, firmware_board, firmware_size
from tinyflash.boards.fits import check_fits
from tinyflash.compiler import compile_model
from tinyflash.errors import BoardError, BuildError
from tinyflash.read import read
from tinyflash.scheme import Rule, Scheme
from tinyflash.write.model import write_model
from tinyflash.zoo.networks import path_of

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests" / "firmware" / "model"
# test_physical_boards.py has the others
BOARDS = pytest.mark.parametrize("board", ROOMY, ids=lambda board: board.name)


def model_with(tmp_path: Path, old: str, new: str) -> Path:
    """A copy of the test model with one text of its header replaced."""
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    header = folder / "model.h"
    text = header.read_text(encoding="utf-8")
    assert old in text
    header.write_text(text.replace(old, new), encoding="utf-8")
    return folder


@pytest.mark.parametrize("board", EMULATED, ids=lambda board: board.name)
def test_sram_is_known_to_the_byte_before_the_build(board: Board, tmp_path: Path) -> None:
    scheme = Scheme((Rule(last=1, weights=0.5 if board in ROOMY else 0.0, bias=True),))
    compiled = compile_model(read(path_of("digits")), scheme)
    write_model(compiled, tmp_path)
    size = firmware_size(build_firmware(tmp_path, board, tmp_path / "out"))
    assert check_fits(compiled, board).sram_bytes == size.sram_bytes


@BOARDS
def test_sram_is_enforced_to_the_byte(board: Board, tmp_path: Path) -> None:
    elf = build_firmware(MODEL, board, tmp_path / "out")
    free = board.sram_bytes - firmware_size(elf).sram_bytes
    arena = 6000 + free
    fits = model_with(tmp_path, "ARENA_BYTES 6000u", f"ARENA_BYTES {arena}u")
    size = firmware_size(build_firmware(fits, board, tmp_path / "out"))
    assert board.sram_bytes - size.sram_bytes < 16
    shutil.rmtree(fits)
    more = model_with(tmp_path, "ARENA_BYTES 6000u", f"ARENA_BYTES {arena + 1000}u")
    with pytest.raises(BoardError) as caught:
        build_firmware(more, board, tmp_path / "out")
    text = str(caught.value)
    assert f"board {board.name}: the firmware is 1,00" in text
    region = board.place.arena.upper()
    assert f"bytes too large for its {board.sram_bytes:,} bytes of {region}" in text
    assert "\n" not in text


def test_flash_is_enforced(tmp_path: Path) -> None:
    model = model_with(tmp_path, "extern const", "static const char large[1 << 20];\nextern const")
    source = model / "model.c"
    source.write_text(source.read_text() + "const char *const large_used = large;\n")
    text = source.read_text().replace(".flash = weights_image", ".flash = (const uint8_t *)large")
    source.write_text(text)
    with pytest.raises(BoardError, match="too large for its 1,048,576 bytes of FLASH"):
        build_firmware(model, load_board("qemu_stm32f405"), tmp_path / "out")


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    """Quotes, dollars, semicolons: names reach the tools through a shell."""
    odd = tmp_path / "it's $HOME; \"`&"
    shutil.copytree(MODEL, odd)
    elf = build_firmware(odd, load_board("qemu_stm32f405"), odd)
    assert firmware_board(elf) == "qemu_stm32f405"
    assert {path.name for path in odd.iterdir()} == {
        *(path.name for path in MODEL.iterdir()),
        *("firmware.elf", "firmware.map", "firmware.json"),
    }


def test_builds_side_by_side(tmp_path: Path) -> None:
    """Into one folder, for two boards: the image is one of them, whole."""
    two = ROOMY[-2:]
    with ThreadPoolExecutor() as pool:
        elfs = set(pool.map(lambda board: build_firmware(MODEL, board, tmp_path), two))
    (elf,) = elfs
    assert firmware_board(elf) in {board.name for board in two}


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x7fELF nothing", Path(sys.executable).read_bytes()[:4096]]
)
def test_an_image_that_is_no_firmware(content: bytes, tmp_path: Path) -> None:
    elf = tmp_path / "firmware.elf"
    elf.write_bytes(content)
    with pytest.raises(BuildError, match=r"firmware\.elf is not a tinyflash firmware"):
        firmware_board(elf)


def test_an_error_of_the_linker_is_its_cause(tmp_path: Path) -> None:
    model = model_with(tmp_path, "extern const", "extern const char absent[];\nextern const")
    source = model / "model.c"
    text = source.read_text().replace(".flash = weights_image", ".flash = (const uint8_t *)absent")
    source.write_text(text)
    with pytest.raises(BuildError, match="undefined reference to `absent'"):
        build_firmware(model, load_board("qemu_stm32f405"), tmp_path / "out")


def test_an_error_of_the_compiler_is_one_line(tmp_path: Path) -> None:
    model = model_with(tmp_path, "extern const", "nonsense const")
    with pytest.raises(
        BuildError, match=rf"failed: {model}.*error: .*; see .*build\.log"
    ) as caught:
        build_firmware(model, load_board("qemu_stm32f405"), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert "nonsense" in (tmp_path / "out" / "build.log").read_text()


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"model\.c is missing; run tinyflash compile"):
        build_firmware(tmp_path, load_board("qemu_stm32f405"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("board", "tools"),
    [("qemu_stm32f405", "Arm GCC, newlib"), ("qemu_riscv32_virt", "RISC-V GCC, picolibc")],
)
def test_a_missing_compiler(
    board: str, tools: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=f"^{tools} missing; install with"):
        build_firmware(MODEL, load_board(board), tmp_path / "out")


def test_it_builds_from_sources_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from an installed package, whose sources lie elsewhere."""
    sources = tmp_path / "sources"
    for name in ("include", "lib", "firmware", "boards"):
        shutil.copytree(ROOT / name, sources / name)
    shutil.copy(ROOT / "SConstruct", sources)
    before = sorted(sources.rglob("*"))
    monkeypatch.setattr(build, "source_root", lambda: sources)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "python"))
    monkeypatch.setenv("PATH", path_without_stand_ins())
    board = load_board("qemu_stm32f405")
    elf = build_firmware(MODEL, board, tmp_path / "out")
    assert elf == tmp_path / "out" / "firmware.elf"
    assert elf.is_file() and (tmp_path / "out" / "firmware.map").is_file()
    assert sorted(sources.rglob("*")) == before
    built = elf.read_bytes()
    again = build_firmware(MODEL, board, tmp_path / "again")
    assert again.read_bytes() == built  # whatever folder it was built in


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_boards_describe_themselves(board: Board) -> None:
    assert load_board(board.name) == board
    assert f'"{board.name}"' in (board.folder / "board.c").read_text()
    assert board.stack_bytes % 32 == 0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('target = "nrf52840"', 'target = "nRF 52"', "target = 'nRF 52' is not a name of pyocd"),
        ('target = "nrf52840"', 'target = "x"\npack = "y"', "pack = 'y' is not VENDOR::NAME"),
        ("[probe]", "[probe]\nspeed = 1", "not a board description"),
        ("mask = 0xffffffff", "mask = 0x100000000", "which is not a word of 32 bits"),
        ("mask = 0xffffffff", "mask = 0xff", "or a value beyond its mask"),
        ("address = 0x10000100", "address = 0x10000102", "an address that is no word's"),
        ("address = 0x000e0000", "address = 0x000d0000", "is in the region 'flash'"),
        ("address = 0x000e0000", "address = 0x000e0001", "is not a multiple of page_bytes"),
    ],
)
def test_a_probe_or_a_store_that_is_none(old: str, new: str, says: str, tmp_path: Path) -> None:
    text = (load_board("nrf52840_dk").folder / "board.toml").read_text()
    assert old in text
    (tmp_path / "board.toml").write_text(text.replace(old, new))
    with pytest.raises(BoardError, match=says) as caught:
        read_board(tmp_path / "board.toml")
    assert "\n" not in str(caught.value)


def test_an_unknown_board() -> None:
    with pytest.raises(
        BoardError, match="'none' is unknown; choose one of nrf52840_dk, qemu_microbit, "
    ):
        load_board("none")


@pytest.mark.parametrize("text", ["= 1", "description = 'x'", "cpu_flags = 3", "\xff"])
def test_a_board_description_that_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BoardError, match=r"board\.toml: ") as caught:
        read_board(path)
    assert "\n" not in str(caught.value)


def symbols(elf: Path) -> set[str]:
    with elf.open("rb") as file:
        return {s.name for s in ELFFile(file).get_section_by_name(".symtab").iter_symbols()}


@pytest.mark.parametrize("board", UNLIKE, ids=lambda board: board.name)
def test_a_guard_costs_what_it_says_and_nothing_where_there_is_none(
    board: Board, tmp_path: Path
) -> None:
    without = build_firmware(MODEL, board, tmp_path / "without")
    guarded = build_firmware(MODEL, board, tmp_path / "guarded", guard=5)
    none, some = firmware_size(without), firmware_size(guarded)
    assert none.guard_bytes == 0
    assert not {name for name in symbols(without) if name.startswith("tiny_guard")}
    assert some.guard_bytes == 5 * (3000 + 2) + 1500 + 2 + 1
    assert 0 <= some.sram_bytes - none.sram_bytes - some.guard_bytes <= 96
    assert some.flash_bytes - none.flash_bytes <= 2048


def test_a_guard_that_does_not_fit_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        BoardError, match="train fewer layers, guard with fewer samples, place a part"
    ):
        build_firmware(MODEL, load_board("qemu_stm32f405"), tmp_path, guard=100)


def test_nothing_to_guard(tmp_path: Path) -> None:
    model = model_with(tmp_path, "WEIGHTS_BYTES 1500u", "WEIGHTS_BYTES 0u")
    with pytest.raises(BuildError, match="trains nothing that a guard can watch; compile with a"):
        build_firmware(model, load_board("qemu_stm32f405"), tmp_path / "out", guard=1)
