"""A board folder from a CMSIS pack: regions, core, flash algorithm; what the pack lacks is said."""

from __future__ import annotations

import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.firmware import MODEL

from tinyflash.boards import load_board, pack_index
from tinyflash.boards.device_pack import Algorithm, Device, Memory, find_device
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.new_board import regions_of, write_board
from tinyflash.boards.probe_target import ProbeTarget
from tinyflash.cli import main
from tinyflash.errors import BoardError, BuildError
from tinyflash.paths import source_root

PDSC = """<?xml version="1.0" encoding="UTF-8"?>
<package schemaVersion="1.7.2">
  <vendor>Acme</vendor><name>AC7_DFP</name><description>devices</description>
  <url>{url}</url><license>LICENSE</license>
  <releases><release version="2.1.0">One.</release></releases>
  <devices>
    <family Dfamily="AC7" Dvendor="Acme:999">
      <processor Dcore="Cortex-M7" Dfpu="SP_FPU" Dmpu="MPU" Dendian="Little-endian" Dclock="200"/>
      <device Dname="AC746NGHx">
        <memory id="IROM1" start="0x08000000" size="0x00100000" startup="1" default="1"/>
        <memory id="IROM2" start="0x00200000" size="0x00100000" startup="0" default="0"/>
        <memory id="IRAM1" start="0x20010000" size="0x00040000" init="0" default="1"/>
        <memory id="IRAM2" start="0x20000000" size="0x00010000" init="0" default="0"/>
        <algorithm name="Flash/AC7x_1024.FLM" start="0x08000000" size="0x00100000" default="1"/>
      </device>
    </family>
  </devices>
</package>
"""
NAME = "AC746NGHx"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def index(site: Path) -> Iterator[str]:
    """A loopback server with an index of one pack."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        text = PDSC.format(url=url)
        (site / "Acme.AC7_DFP.pdsc").write_text(text)
        with zipfile.ZipFile(site / "Acme.AC7_DFP.2.1.0.pack", "w") as archive:
            archive.writestr("Acme.AC7_DFP.pdsc", text)
            archive.writestr("Flash/AC7x_1024.FLM", b"\x7fELF algorithm")
        listed = f'<pdsc url="{url}" vendor="Acme" name="AC7_DFP" version="2.1.0"/>'
        (site / "index.pidx").write_text(
            '<?xml version="1.0"?><index schemaVersion="1.1.0"><vendor>Acme</vendor>'
            f"<url>{url}</url><pindex>{listed}</pindex></index>"
        )
        yield url + "index.pidx"
        server.shutdown()
        thread.join()


DEVICE = Device(
    NAME,
    "CortexM7",
    True,
    (
        Memory("IROM2", 0x00200000, 0x100000, False, False),
        Memory("IROM1", 0x08000000, 0x100000, False, True),
        Memory("IRAM2", 0x20000000, 0x10000, True, False),
        Memory("IRAM1", 0x20010000, 0x40000, True, True),
    ),
    (Algorithm("AC7x_1024.FLM", 0x08000000, 0x100000, b"\x7fELF algorithm"),),
    "Acme::AC7_DFP 2.1.0",
)


def test_a_device_of_an_index(index: str) -> None:
    pytest.importorskip("cmsis_pack_manager")
    assert find_device(NAME, index) == DEVICE


def test_a_device_that_no_pack_has(index: str) -> None:
    pytest.importorskip("cmsis_pack_manager")
    with pytest.raises(BuildError, match=r"no pack .* device 'AC746NG'; is it AC746NGHx\?"):
        find_device("AC746NG", index)
    with pytest.raises(
        BuildError, match=r"absent\.pidx lists no packs that can be read, or cannot be reached"
    ):
        find_device(NAME, index.replace("index.pidx", "absent.pidx"))


@pytest.mark.parametrize("name", [NAME.lower(), "AC74*", "ac746", "AC746?GHx"])
def test_a_name_that_is_nearly_one(name: str, index: str) -> None:
    pytest.importorskip("cmsis_pack_manager")
    with pytest.raises(BuildError, match="; is it AC746NGHx"):
        find_device(name, index)


@pytest.mark.parametrize("url", ["nonsense", "file:///etc/index.pidx", "http://", "http://a b/i"])
def test_an_index_that_is_no_url(url: str) -> None:
    """The library would wait forever for some of them."""
    pytest.importorskip("cmsis_pack_manager")
    with pytest.raises(BuildError, match="is not the URL of an index"):
        find_device(NAME, url)


def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cmsis_pack_manager")
    monkeypatch.setattr(pack_index, "_INDEX_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/index.pidx"
        with pytest.raises(BuildError, match=r"index\.pidx: nothing came for 0 s; try again later"):
            find_device(NAME, url)


def test_a_pack_that_is_listed_and_gone(site: Path, index: str) -> None:
    pytest.importorskip("cmsis_pack_manager")
    pack = site / "Acme.AC7_DFP.2.1.0.pack"
    away = pack.rename(site / "away")
    try:
        with pytest.raises(BuildError, match=f"pack of {NAME} is listed, but cannot be downloaded"):
            find_device(NAME, index)
    finally:
        away.rename(pack)


def test_a_pack_without_the_algorithm_that_it_names(site: Path, index: str) -> None:
    pytest.importorskip("cmsis_pack_manager")
    pack = site / "Acme.AC7_DFP.2.1.0.pack"
    whole = pack.read_bytes()
    with zipfile.ZipFile(pack, "w") as archive:
        archive.write(site / "Acme.AC7_DFP.pdsc", "Acme.AC7_DFP.pdsc")
    try:
        with pytest.raises(BuildError, match=r"lacks a flash algorithm .*: Flash/AC7x_1024\.FLM"):
            find_device(NAME, index)
    finally:
        pack.write_bytes(whole)


def test_the_command_makes_a_board_that_a_build_refuses_until_it_is_whole(
    index: str, tmp_path: Path
) -> None:
    pytest.importorskip("cmsis_pack_manager")
    folder = tmp_path / "mine"
    given = ["boards", "add", "--device", NAME, "--index", index, "-o", str(folder)]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 0, done.output
    assert "wrote board.toml, board.c, AC7x_1024.FLM to" in done.output
    assert (folder / "AC7x_1024.FLM").read_bytes() == b"\x7fELF algorithm"
    board = load_board(str(folder))
    assert (board.name, board.mcu, board.core) == ("mine", NAME, "cortex-m7")
    assert {(r.name, r.kind, r.origin, r.size) for r in board.regions} == {
        ("irom1", "flash", 0x08000000, 0x100000),
        ("iram1", "ram", 0x20010000, 0x40000),
        ("iram2", "ram", 0x20000000, 0x10000),
    }
    assert board.probe == ProbeTarget("ac746nghx", "Acme::AC7_DFP")
    assert board.place.arena == "iram1"  # what the pack links to by default comes first
    assert (
        "# Flash algorithm: AC7x_1024.FLM, for 1048576 bytes at 0x08000000."
        in (folder / "board.toml").read_text()
    )
    with pytest.raises(BoardError, match="board mine is not finished: write the serial line"):
        build_firmware(MODEL, board, tmp_path / "out")
    again = CliRunner().invoke(main, given)
    assert again.exit_code == 1
    assert f"{folder} exists; name another folder" in again.output


def test_what_is_marked_compiles(tmp_path: Path) -> None:
    """So that the lines to write are all that is between it and firmware."""
    write_board(DEVICE, tmp_path / "mine")
    path = tmp_path / "mine" / "board.toml"
    path.write_text(re.sub("todo = .*\n", "", path.read_text()))
    build_firmware(MODEL, load_board(str(path.parent)), tmp_path / "out")
    assert (path.parent / "board.c").read_text().count("TODO") >= 6


@pytest.mark.parametrize("core", ["CortexM0", "CortexM0Plus", "CortexM4", "CortexM33", "CortexM55"])
def test_each_core_is_described(core: str, tmp_path: Path) -> None:
    write_board(replace(DEVICE, core=core, has_mpu=False), tmp_path / core.lower())
    board = load_board(str(tmp_path / core.lower()))
    assert f"cortex-m{core[7:].lower()}" == board.core
    assert all((source_root() / "boards" / "parts" / part).is_dir() for part in board.shared), (
        board.shared
    )


def test_a_device_that_cannot_be_a_board(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="has the core CortexA7, for which this project has no"):
        write_board(replace(DEVICE, core="CortexA7"), tmp_path / "x")
    with pytest.raises(BoardError, match="names no flash or no RAM, but: IROM1"):
        regions_of(replace(DEVICE, memories=DEVICE.memories[1:2]))
    far = Memory("FAR", 0xFFFF0000, 0x40000, True, True)
    with pytest.raises(BoardError, match="has FAR reach beyond 32 bits"):
        write_board(replace(DEVICE, memories=(*DEVICE.memories, far)), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_regions_whose_names_and_ends_no_board_takes(tmp_path: Path) -> None:
    """Names that are one when cut or without their signs; memories that begin anywhere."""
    odd = (
        Memory("SRAM_backup_domain_A", 0x38000000, 0x1000, True, False),
        Memory("SRAM_backup_domain_B", 0x38001004, 0x1000, True, False),
        Memory("SRAM-backup_domain", 0x38100000, 0x23, True, False),
    )
    write_board(replace(DEVICE, memories=(*DEVICE.memories, *odd)), tmp_path / "mine")
    found = {r.name: (r.origin, r.size) for r in load_board(str(tmp_path / "mine")).regions}
    assert len(found) == 6
    assert list(found.values())[-3:] == [
        (0x38000000, 0x1000),
        (0x38001020, 0xFE0),
        (0x38100000, 0x20),
    ]


def test_flash_that_the_pack_calls_writable() -> None:
    writable = replace(DEVICE.memories[1], writable=True)
    found = regions_of(replace(DEVICE, memories=(writable, DEVICE.memories[3])))
    assert [(r.name, r.kind) for r in found] == [("irom1", "flash"), ("iram1", "ram")]


@pytest.mark.parametrize("name", ["board.toml", "board.c", "..", ".FLM", "a\n.FLM", "x.c"])
def test_an_algorithm_whose_name_is_that_of_another_file(name: str, tmp_path: Path) -> None:
    algorithm = replace(DEVICE.algorithms[0], name=name)
    with pytest.raises(BoardError, match="has a flash algorithm with the odd name"):
        write_board(replace(DEVICE, algorithms=(algorithm,)), tmp_path / "mine")
    two = (DEVICE.algorithms[0], replace(DEVICE.algorithms[0], content=b"other"))
    with pytest.raises(BoardError, match=r"two flash algorithms named AC7x_1024\.FLM"):
        write_board(replace(DEVICE, algorithms=two), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_device_of_two_cores(tmp_path: Path) -> None:
    write_board(replace(DEVICE, other_cores=("CortexM4",)), tmp_path / "mine")
    assert load_board(str(tmp_path / "mine")).core == "cortex-m7"
    says = "# The device has more cores, which this board does not start: CortexM4.\n"
    assert says in (tmp_path / "mine" / "board.toml").read_text()


def test_a_name_with_quotes(tmp_path: Path) -> None:
    write_board(replace(DEVICE, name='A"]\n#'), tmp_path / "mine")
    assert load_board(str(tmp_path / "mine")).mcu == 'A"]\n#'
