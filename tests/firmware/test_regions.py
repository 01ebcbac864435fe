"""Regions of a board's memory: what is where, what fits, and what a user is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from elftools.elf.elffile import ELFFile
from tests.support.firmware import EMULATED, MODEL

from tinyflash.boards import Board, boards, load_board, read_board, with_place
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware, firmware_size, region_use
from tinyflash.boards.fits import check_fits, measure
from tinyflash.boards.memory import IN_RAM, Region
from tinyflash.cli import main
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import BoardError
from tinyflash.read import read
from tinyflash.runtime.device import DeviceSession
from tinyflash.scheme import Rule, Scheme
from tinyflash.zoo.networks import path_of

SAMPLE = np.random.default_rng(5).integers(-128, 128, 3000).astype(np.int8)
F405 = load_board("qemu_stm32f405")
MOVES = [
    (F405, ("stack=ccm", "weights=ccm", "state=ccm")),
    (F405, ("variables=ccm", "state=ccm")),
    (load_board("qemu_mps3_an547"), ("arena=sram",)),
]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return compile_model(read(path_of("digits")), Scheme((Rule(last=1, weights=0.5, bias=True),)))


def sections(elf: Path) -> dict[str, range]:
    with elf.open("rb") as file:
        return {
            section.name: range(section["sh_addr"], section["sh_addr"] + section["sh_size"])
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & 2 and section["sh_size"]
        }


@pytest.mark.parametrize(("board", "moves"), MOVES, ids=lambda value: str(value)[:40])
def test_a_placed_image_runs_as_before(
    board: Board, moves: tuple[str, ...], tmp_path: Path
) -> None:
    placed = with_place(board, moves)
    elf = build_firmware(MODEL, placed, tmp_path)
    names = {"stack": ".stack", "variables": ".bss"}
    for part in IN_RAM:
        region = placed.region(getattr(placed.place, part))
        section = names.get(part, f".{part}")
        found = sections(elf).get(section, sections(elf)[".bss"])
        assert found[0] in region.addresses and found[-1] in region.addresses, part
    assert sum(region_use(elf, placed)[r.name] for r in board.ram) >= firmware_size(elf).sram_bytes
    with Emulator(placed, elf) as emulator, DeviceSession(emulator, 0x1234ABCD) as device:
        before = device.weights, device.state
        expected = SAMPLE.copy()
        expected[:5] += np.arange(1, 6, dtype=np.int8)
        assert np.array_equal(device.infer(SAMPLE), expected)
        device.train_step(SAMPLE, 1, 0.5)
        assert device.weights != before[0]
        device.reset()
        assert (device.weights, device.state) == before
        assert 100 < device.stack_high_water < board.stack_bytes


def test_what_is_elsewhere_is_cleared_at_the_start(tmp_path: Path) -> None:
    """The start-up code's table has each range, and nothing else has one."""
    elf = build_firmware(MODEL, with_place(F405, ("arena=ccm", "state=ccm")), tmp_path)
    places = sections(elf)
    with elf.open("rb") as file:
        image = ELFFile(file)
        (symbol,) = image.get_section_by_name(".symtab").get_symbol_by_name("linker_ranges")
        text = image.get_section_by_name(".text")
        start = symbol["st_value"] - text["sh_addr"]
        words = np.frombuffer(text.data()[start : start + 16], "<u4").tolist()
    wanted = [places[".arena"], places[".state"]]
    assert words == [number for r in wanted for number in (r.start, len(r))]


def test_the_linker_says_which_region_is_full(tmp_path: Path) -> None:
    small = tuple(
        replace(region, size=4096) if region.name == "ccm" else region for region in F405.regions
    )
    folder = tmp_path / "small"
    folder.mkdir()
    text = (F405.folder / "board.toml").read_text().replace("size = 65536", "size = 4096")
    (folder / "board.toml").write_text(text)
    source = (F405.folder / "board.c").read_text().replace("qemu_stm32f405", "small")
    (folder / "board.c").write_text(source)
    board = with_place(read_board(folder / "board.toml"), ["arena=ccm"])
    assert board.regions == small
    with pytest.raises(BoardError, match=r"1,912 bytes too large for its 4,096 bytes of CCM; "):
        build_firmware(MODEL, board, tmp_path / "out")


@pytest.mark.parametrize("board", EMULATED, ids=lambda board: board.name)
def test_the_regions_of_a_fit_are_its_sram(board: Board, compiled: Compiled) -> None:
    fit = measure(compiled.program, board)
    assert sum(fit.used_of(region.name) for region in board.ram) == fit.sram_bytes
    assert sum(fit.parts.values()) == fit.sram_bytes


def with_ram(board: Board, **sizes: int) -> Board:
    regions = tuple(replace(r, size=sizes.get(r.name, r.size)) for r in board.regions)
    return replace(board, regions=regions)


def test_what_does_not_fit_says_by_how_much_and_where_room_is(compiled: Compiled) -> None:
    need = measure(compiled.program, F405)
    size = need.sram_bytes - 64
    board = with_ram(F405, sram=size)
    with pytest.raises(BoardError) as caught:
        check_fits(compiled, board)
    text = str(caught.value)
    arena = need.parts["arena"]
    assert f"qemu_stm32f405: 64 bytes of SRAM too small: arena {arena:,} + trained w" in text
    assert f" > {size:,}; ccm has 65,536 free; try --place state=ccm; " in text
    assert "\n" not in text
    check_fits(compiled, with_place(board, ["state=ccm"]))
    with pytest.raises(BoardError, match=r"of SRAM too small: .*; ccm has 32 free; the arena's"):
        check_fits(compiled, with_ram(F405, sram=size, ccm=32))


@pytest.mark.parametrize(
    ("moves", "text"),
    [
        (["arena=dtcm"], "there is no region 'dtcm'; arena can be in sram, ccm"),
        (["arena=flash"], "region flash takes no arena, which can be in sram, ccm"),
        (["code=sram"], "region sram takes no code, which can be in flash"),
        (["heap=sram"], "'heap' is not a part of an image; choose from stack, variables, arena"),
        (["arena"], "--place arena: write PART=REGION, as in arena=dtcm"),
        (["=sram"], "write PART=REGION"),
    ],
)
def test_a_place_that_is_none(moves: list[str], text: str) -> None:
    with pytest.raises(BoardError) as caught:
        with_place(F405, moves)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_region_may_take_some_parts_only() -> None:
    board = load_board("stm32h743_nucleo")
    assert with_place(board, ["arena=d2"]).place.arena == "d2"
    with pytest.raises(BoardError, match="region d2 takes no stack, which can be in dtcm, axi, d3"):
        with_place(board, ["stack=d2"])


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('name = "ccm"', 'name = "sram"', "two are named 'sram'"),
        ('name = "ccm"', 'name = "a b"', "'a b' is not a name"),
        ("origin = 0x20020000", "origin = 0x20010000", "sram and ccm overlap"),
        ("origin = 0x20020000", "origin = 0x20020004", "is not a multiple of 32"),
        ("origin = 0x20020000", "origin = 0xffffffe0", "ends above 4 GB"),
        ("size = 65536", "size = 0", "ccm is empty"),
        ("size = 65536", "size = '1'", "size = '1' of ccm is not"),
        ("size = 65536", "bytes = 65536", "board.toml: "),
        (
            'kind = "ram", origin = 0x20020000',
            'kind = "rom", origin = 0x20020000',
            "is not flash or",
        ),
        ("size = 65536", 'size = 65536, parts = ["code"]', "ccm is ram, which takes stack, "),
        ('kind = "flash"', 'kind = "ram"', "none is of kind 'flash'"),
        ("stack_bytes = 2048", 'stack_bytes = 2048\nplace = { arena = "x" }', "no region 'x'"),
    ],
)
def test_regions_that_are_none(old: str, new: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "board" / "board.toml"
    path.parent.mkdir()
    given = (F405.folder / "board.toml").read_text()
    assert old in given
    path.write_text(given.replace(old, new, 1))
    with pytest.raises(BoardError) as caught:
        read_board(path)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compile_tells_build_and_both_report_it(tmp_path: Path) -> None:
    run = CliRunner().invoke
    model = str(path_of("digits"))
    given = ["--board", "qemu_stm32f405", "-o", str(tmp_path)]
    done = run(main, ["compile", model, *given, "--place", "arena=ccm"])
    assert done.exit_code == 0, done.output
    assert "free: arena\n" in (tmp_path / "report.txt").read_text()
    built = run(main, ["build", str(tmp_path)])
    assert built.exit_code == 0, built.output
    regions = {r["name"]: r for r in json.loads((tmp_path / "report.json").read_text())["regions"]}
    used = region_use(tmp_path / "firmware.elf", with_place(F405, ["arena=ccm"]))
    assert {name: region["used"] for name, region in regions.items()} == used
    assert used["ccm"] > 0 and regions["ccm"]["parts"] == ["arena"]
    assert f"ccm {used['ccm']:,} of 65,536 bytes" in built.output
    page = (tmp_path / "report.html").read_text()
    assert f'<td class="n">{65_536 - used["ccm"]:,}</td>' in page
    again = run(main, ["build", str(tmp_path), "--place", "arena=sram"])
    assert "ccm 0 of 65,536 bytes" in again.output
    wrong = run(main, ["build", str(tmp_path), "--place", "arena=axi"])
    assert "there is no region 'axi'" in wrong.output


def test_every_board_has_what_its_image_needs() -> None:
    for board in boards():
        for part in IN_RAM:
            region = board.region(getattr(board.place, part))
            assert isinstance(region, Region) and region.takes(part), (board.name, part)
