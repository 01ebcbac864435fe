"""Flashing by a debug probe: pyOCD's own code with its flash algorithms, up to a simulated chip."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.firmware import MODEL

from tinyflash.boards import Board, load_board
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.image import Piece, pieces_of
from tinyflash.boards.packs import add_pack
from tinyflash.cli import options
from tinyflash.errors import BoardError, BuildError

pytest.importorskip("pyocd", reason="pyOCD is not installed")
pytest.importorskip("unicorn", reason="unicorn is not installed, which runs flash algorithms")

from pyocd.probe import aggregator
from tests.support.chips import known
from tests.support.chips.core import Chip
from tests.support.chips.pack import DEVICES, make_pack
from tests.support.chips.port import SimulatedProbe

from tinyflash.boards.flashing import flash_board

NRF = load_board("nrf52840_dk")
CHIPS: dict[str, Callable[[], Chip]] = {
    "nrf52840_dk": known.nrf52840,
    "raspberrypi_pico": known.rp2040,
    "raspberrypi_pico2": known.rp2350,
    "stm32f446_nucleo": known.stm32f446,
    "stm32f746_discovery": known.stm32f746,
    "stm32h743_nucleo": known.stm32h743,
}
LEARNED = bytes(range(64)) * 4  # what a board has saved


@pytest.fixture(autouse=True)
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with no probe but those that a test plugs in, and with no pack."""
    monkeypatch.setattr(aggregator, "PROBE_CLASSES", {"simulated": SimulatedProbe})
    monkeypatch.setattr(SimulatedProbe, "connected", [])
    monkeypatch.setenv("TINYFLASH_PACKS", str(tmp_path / "packs"))


def plug_in(chip: Chip, name: str = "SN0123") -> SimulatedProbe:
    probe = SimulatedProbe(name, chip)
    SimulatedProbe.connected.append(probe)
    return probe


def image(board: Board, size: int = 9000, seed: int = 1) -> tuple[Piece, ...]:
    """Two pieces that are apart, the first with the vectors of a program. No byte is erased's."""
    start = board.region(board.place.code).origin
    data = bytearray((i * 7 + i // 256 + seed) % 255 for i in range(size))
    data[:8] = (0x20001000).to_bytes(4, "little") + (start + 0x101).to_bytes(4, "little")
    return Piece(start, bytes(data)), Piece(start + 16384 + 500, bytes(data[100:1400]))


@contextmanager
def watch(_what: str, _size: int) -> Iterator[Callable[[int], None]]:
    yield lambda _done: None


def flash(board: Board, pieces: tuple[Piece, ...], probe: str | None = None, **more: bool) -> str:
    return flash_board(board, pieces, probe, more.get("factory", False), watch)


def save(board: Board, chip: Chip) -> None:
    """As if the board had learned: in the first sector of its store, and in the last."""
    assert board.store is not None and board.store_address is not None
    last = board.store_address + board.store.size - board.store.sector_bytes
    for address in (board.store_address, last):
        chip.flash.program(address, LEARNED)


def saved(board: Board, chip: Chip) -> bytes:
    assert board.store is not None and board.store_address is not None
    return chip.flash.read(board.store_address, board.store.size)


def holds(chip: Chip, pieces: tuple[Piece, ...]) -> bool:
    return all(chip.flash.read(p.address, len(p.data)) == p.data for p in pieces)


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_a_board_is_erased_written_read_back_and_reset(name: str, tmp_path: Path) -> None:
    """Over an older program; what the board has saved stays, until its erasure is asked for. The
    algorithms of pyOCD, and one that is compiled as vendors' packs have it, run on a core."""
    board, chip = load_board(name), CHIPS[name]()
    if name in DEVICES:
        add_pack(make_pack(DEVICES[name], tmp_path / "made"))
    probe = plug_in(chip)
    save(board, chip)
    chip.flash.program(chip.flash.start, bytes(30000))
    before, pieces = saved(board, chip), image(board)
    assert flash(board, pieces) == "SN0123"
    assert holds(chip, pieces)
    assert saved(board, chip) == before
    assert probe.core.started == [chip.flash.start + 0x100]
    flash(board, image(board, seed=2), factory=True)
    assert holds(chip, image(board, seed=2))
    assert set(saved(board, chip)) == {0xFF}
    assert len(probe.core.started) == 2
    assert Path.cwd() != tmp_path


@pytest.mark.parametrize("at", [0x0, 0x1234, 0x4000 + 500 + 1299])
def test_a_bit_that_stays(at: int) -> None:
    """In the first byte, in the middle, and in the last. The algorithm does not notice it."""
    chip, pieces = known.nrf52840(), image(NRF)
    piece = next(p for p in pieces if p.address <= at < p.end)
    want = piece.data[at - piece.address]
    bit = next(1 << n for n in range(8) if not want & 1 << n)
    chip.flash.stuck[at] = bit
    probe = plug_in(chip)
    says = f"flash at 0x{at:08x} keeps 0x{want | bit:02x} instead of 0x{want:02x}; flash again"
    with pytest.raises(BoardError, match=says) as caught:
        flash(NRF, pieces)
    assert "\n" not in str(caught.value)
    assert not probe.core.started  # a program that is not whole is not started


def transfers() -> int:
    """Of a whole flash."""
    probe = plug_in(known.nrf52840())
    probe.transfers_left = 1 << 30
    flash(NRF, image(NRF, 5000))
    SimulatedProbe.connected.clear()
    return (1 << 30) - probe.transfers_left


def test_a_probe_that_is_unplugged() -> None:
    """At any moment one line says so, and whether the board still has its program; then it is
    flashed whole."""
    count, pieces, old = transfers(), image(NRF, 5000), bytes(30000)
    lost = set()
    for part in (0, 0.02, 0.3, 0.6, 0.98):
        chip = known.nrf52840()
        chip.flash.program(0, old)
        probe = plug_in(chip)
        probe.transfers_left = int(count * part)
        with pytest.raises(BoardError, match="the debug probe SN0123 is gone") as caught:
            flash(NRF, pieces)
        assert "\n" not in str(caught.value)
        begun = "its program is not whole" in str(caught.value)
        assert begun or "nothing was erased" in str(caught.value)
        assert begun or chip.flash.cells[: len(old)] == old
        lost.add(begun)
        again = plug_in(chip)
        flash(NRF, pieces)
        assert holds(chip, pieces)
        assert again.core.started
        SimulatedProbe.connected.clear()
    assert lost == {True, False}


def test_another_chip(tmp_path: Path) -> None:
    """Of another core, of the same core and another kind, and behind a probe of a board whose own
    chip needs steps that this one lacks. Nothing is erased."""
    for board, chip, why in (
        ("stm32f446_nucleo", known.stm32f746(), "it has a cortex-m7, not a cortex-m4"),
        ("nrf52840_dk", known.stm32f446(), "it has nothing at 0x10000100"),
        ("stm32f746_discovery", known.stm32h743(), "its ID at 0xe0042000 is 0x0, not 0x449"),
        ("raspberrypi_pico", known.nrf52840(), "it has a cortex-m4, not a cortex-m0plus"),
    ):
        if board in DEVICES:
            add_pack(make_pack(DEVICES[board], tmp_path / board))
        plug_in(chip)
        with pytest.raises(BoardError, match=why) as caught:
            flash(load_board(board), image(load_board(board)))
        assert "\n" not in str(caught.value)
        assert "nothing was erased" in str(caught.value)
        assert not chip.flash.erased
        assert set(chip.flash.cells) == {0xFF}
        SimulatedProbe.connected.clear()
    chip = known.stm32f446()
    chip.ids[0xE0042000] = 0x10006413  # of an STM32F405
    plug_in(chip)
    with pytest.raises(BoardError, match="its ID at 0xe0042000 is 0x413, not 0x421"):
        flash(load_board("stm32f446_nucleo"), image(load_board("stm32f446_nucleo")))


def test_a_locked_chip_is_not_erased() -> None:
    """PyOCD's default is to erase it, with what the board has saved."""
    chip = known.nrf52840()
    chip.ports[1][0x0C] = 0
    save(NRF, chip)
    before = bytes(chip.flash.cells)
    plug_in(chip).is_locked = True
    with pytest.raises(BoardError, match="tool unlocks a locked chip, which erases all of it"):
        flash(NRF, image(NRF))
    assert chip.flash.cells == before


def test_images_that_are_not_for_this_flash() -> None:
    chip = known.nrf52840()
    save(NRF, chip)
    plug_in(chip)
    beyond = (*image(NRF), Piece(0x00200000, b"far"))
    with pytest.raises(BoardError, match="pyOCD knows no flash at 0x00200000 of its chip"):
        flash(NRF, beyond)
    assert NRF.store_address is not None
    shared = replace(NRF, store_address=NRF.store_address - 0xE0000 + 0x4800)
    with pytest.raises(BoardError, match="sector at 0x00004000 has the end of the image and the"):
        flash(shared, image(NRF))
    assert not chip.flash.erased


def test_an_algorithm_that_erases_more_than_it_was_told() -> None:
    """As pyOCD's own for the STM32H743 does: one sector more. It cannot be undone, but is said."""
    board = load_board("stm32h743_nucleo")
    assert board.probe is not None
    built_in = replace(board, probe=replace(board.probe, target="stm32h743xx", pack=None))
    near = replace(built_in, store_address=0x08020000)
    chip = known.stm32h743()
    chip.flash.program(0x08020000, LEARNED)
    plug_in(chip)
    with pytest.raises(BoardError, match="changed the store at 0x08020000, so that what the board"):
        flash(near, image(board))
    assert chip.flash.erased == [0x08000000, 0x08020000]


def test_which_probe() -> None:
    pieces = image(NRF)
    chips = [known.nrf52840() for _ in range(2)]
    with pytest.raises(BoardError, match="no debug probe is connected; plug in nrf52840_dk, by"):
        flash(NRF, pieces)
    for name, chip in zip(("SN0123", "SN0124"), chips, strict=True):
        plug_in(chip, name)
    with pytest.raises(BoardError, match=r"choose one with --probe: SN0123 \(.*\), SN0124 \("):
        flash(NRF, pieces)
    with pytest.raises(BoardError, match="no debug probe has 'SN9' in its ID, only: SN0123"):
        flash(NRF, pieces, "SN9")
    with pytest.raises(BoardError, match="choose one with --probe: SN0123"):
        flash(NRF, pieces, "SN01")
    assert flash(NRF, pieces, "0124") == "SN0124"
    assert (holds(chips[0], pieces), holds(chips[1], pieces)) == (False, True)


@pytest.mark.skipif(os.name == "nt", reason="udev is of Linux")
def test_the_udev_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(BoardError, match=r'SUBSYSTEM=="usb", ATTR{idVendor}=="1366", MODE="0666"'):
        flash(NRF, image(NRF))
    with pytest.raises(BoardError, match="by the USB port of its debugger, or use --drive"):
        flash(load_board("raspberrypi_pico"), ())


def test_a_missing_pack(tmp_path: Path) -> None:
    board = load_board("stm32f446_nucleo")
    plug_in(known.stm32f446())
    target = replace(board.probe, target="stm32f446none")  # pyOCD keeps those of other tests
    mine = replace(board, probe=target)
    says = "needs the pack of the chip stm32f446none; run: tinyflash packs add Keil::STM32F4xx_DFP "
    with pytest.raises(BuildError, match=says):
        flash(mine, image(board))
    add_pack(make_pack(DEVICES[board.name], tmp_path / "made"))
    with pytest.raises(BuildError, match="the added pack Keil::STM32F4xx_DFP has no chip"):
        flash(mine, image(board))
    with pytest.raises(BoardError, match=r"has no \[probe\] in its board.toml"):
        flash(replace(board, probe=None), image(board))
    with pytest.raises(BoardError, match=r"has no \[store\] with an address"):
        flash(replace(board, store_address=None), image(board), factory=True)


def test_the_folder_that_it_is_called_in_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyOCD would run a script of that folder, and obey its settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyocd_user.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "pyocd.yaml").write_text("chip_erase: chip\n")
    chip = known.nrf52840()
    save(NRF, chip)
    plug_in(chip)
    flash(NRF, image(NRF))
    assert LEARNED in chip.flash.cells
    assert Path.cwd() == tmp_path


def test_a_shell_completes_the_id() -> None:
    for name in ("SN0123", "SN0124", "XY"):
        plug_in(known.nrf52840(), name)
    kind = options.Probe()
    context = click.Context(click.Command("flash"))
    found = kind.shell_complete(context, click.Option(["--probe"]), "SN")
    assert [item.value for item in found] == ["SN0123", "SN0124"]


def test_the_command(tmp_path: Path) -> None:
    elf = build_firmware(MODEL, NRF, tmp_path)
    chip = known.nrf52840()
    plug_in(chip)
    result = tinyflash("flash", tmp_path, "--board", "nrf52840_dk", "--probe", "sn01")
    assert result.exit_code == 0, result.output
    assert "nrf52840_dk has it, read back by the debug probe SN0123: " in result.stdout
    assert "not run on hardware" in result.stdout
    assert holds(chip, pieces_of(elf, NRF))
    for way in (["--format", "hex"], ["--drive", tmp_path], ["--renode"]):
        said = refused("flash", tmp_path, "--factory", *way)
        assert "--probe and --factory are not for --format, --drive and --renode" in said
    (tmp_path / "small").mkdir()
    small = tmp_path / "small" / "nrf52840_dk"
    small.mkdir()
    text = (NRF.folder / "board.toml").read_text()
    (small / "board.toml").write_text(text.replace("size = 917504", "size = 4096"))
    chip.flash.erased.clear()
    assert "outside of its flash" in refused("flash", tmp_path, "--board", small)
    assert not chip.flash.erased
