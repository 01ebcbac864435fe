"""The CMSIS-Pack: complete, consistent, and read by cmsis-pack-manager from an index."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from xml.etree import ElementTree

import pytest
from tests.support.dist import ROOT

from tinyflash.sources import FOR_PCS, kernel_sets, library_sources

NAME = "tinyflash.tinyflash"
VERSION = version("tinyflash")


@pytest.fixture(scope="module")
def pack(products: Path) -> Path:
    return products / "cmsis-pack"


@pytest.fixture(scope="module")
def described(pack: Path) -> ElementTree.Element:
    return ElementTree.parse(pack / f"{NAME}.pdsc").getroot()


def test_the_archive_is_the_folder(pack: Path) -> None:
    with zipfile.ZipFile(pack / f"{NAME}.{VERSION}.pack") as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    files = {p.relative_to(pack).as_posix(): p for p in pack.rglob("*") if p.is_file()}
    del files[f"{NAME}.{VERSION}.pack"]
    assert found == {name: path.read_bytes() for name, path in files.items()}


def test_every_file_is_there_and_every_source_is_in_one_component(
    pack: Path, described: ElementTree.Element
) -> None:
    listed = [file.get("name", "") for file in described.iter("file")]
    assert all((pack / name).exists() for name in [*listed, described.findtext("license", "")])
    sources = sorted(name for name in listed if name.startswith("lib/"))
    sets = [name for name in kernel_sets(ROOT) if name != FOR_PCS]
    assert sources == [p.relative_to(ROOT).as_posix() for p in library_sources(ROOT, sets)]
    for component in described.iter("component"):
        _, _, kernels = component.get("Csub", "").partition("Kernels ")
        folder = f"lib/kernels/{kernels}" if kernels else "lib"
        own = [n for f in component.iter("file") if (n := f.get("name", "")).startswith("lib/")]
        assert {str(Path(name).parent) for name in own} == {folder}


def test_conditions_and_what_they_require_are_there(described: ElementTree.Element) -> None:
    conditions = {c.get("id") for c in described.iter("condition")}
    used = {c.get("condition") for c in described.iter("component")} - {None}
    assert conditions == used
    ours = {(c.get("Cclass"), c.get("Cgroup"), c.get("Csub")) for c in described.iter("component")}
    needed = [(r.get("Cclass"), r.get("Cgroup"), r.get("Csub")) for r in described.iter("require")]
    assert {n for n in needed if n[1] == "tinyflash"} < ours
    assert all(2 <= len(text or "") <= 32 for names in ours for text in names)  # of the schema


@pytest.mark.skipif("TINYFLASH_PACK_XSD" not in os.environ, reason="no TINYFLASH_PACK_XSD")
def test_the_schema_of_packs_allows_it(pack: Path) -> None:
    """TINYFLASH_PACK_XSD names PACK.xsd of the Open-CMSIS-Pack specification."""
    xmlschema = pytest.importorskip("xmlschema")
    xmlschema.validate(str(pack / f"{NAME}.pdsc"), os.environ["TINYFLASH_PACK_XSD"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(pack: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of an index that lists the pack, which is published there."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    url = f"http://127.0.0.1:{server.server_port}/"
    text = (pack / f"{NAME}.pdsc").read_text()
    (folder / f"{NAME}.pdsc").write_text(text.replace("<url></url>", f"<url>{url}</url>"))
    shutil.copy(pack / f"{NAME}.{VERSION}.pack", folder)
    (folder / "index.pidx").write_text(
        '<?xml version="1.0"?><index schemaVersion="1.1.0"><vendor>x</vendor>'
        f"<url>{url}</url><timestamp>2026-01-01T00:00:00</timestamp><pindex>"
        f'<pdsc url="{url}" vendor="tinyflash" name="tinyflash" version="{VERSION}"/>'
        "</pindex></index>"
    )
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"{url}index.pidx"
    server.shutdown()
    server.server_close()


def test_a_pack_manager_finds_and_downloads_it(index: str, pack: Path, tmp_path: Path) -> None:
    manager = pytest.importorskip("cmsis_pack_manager")
    for name in ("json", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "indexes").write_text(index + "\n")
    places = {"json_path": str(tmp_path / "json"), "data_path": str(tmp_path / "data")}
    cache = manager.Cache(True, False, **places, vidx_list=str(tmp_path / "indexes"))
    cache.cache_descriptors()
    cache.download_pack_list([manager.CmsisPackRef("tinyflash", "tinyflash", VERSION)])
    got = tmp_path / "data" / "tinyflash" / "tinyflash" / f"{VERSION}.pack"
    assert got.read_bytes() == (pack / f"{NAME}.{VERSION}.pack").read_bytes()
