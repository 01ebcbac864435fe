"""CMSIS packs: added from folders, files and an index; broken and hostile ones change nothing."""

from __future__ import annotations

import shutil
import threading
import warnings
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyflash.boards.pack_index import download_pack
from tinyflash.boards.packs import add_pack, added_packs, find_pack, pack_of_set, remove_pack
from tinyflash.cli import main
from tinyflash.errors import BuildError
from tinyflash.paths import source_root

PDSC = """<?xml version="1.0" encoding="UTF-8"?>
<package schemaVersion="1.7.36">
  <vendor>{vendor}</vendor><name>{name}</name><description>small</description>
  <url>{url}</url><license>LICENSE</license>
  <releases><release version="{version}">One.</release></releases>
  <components>
    <component Cclass="CMSIS" Cgroup="NN Lib" Cversion="{version}">
      <description>small</description>
      <files>
        <file category="header" name="Include/small.h"/>
        <file category="source" name="{source}"/>
        <file category="source" name="Source/small_f16.c"/>
      </files>
    </component>
  </components>
</package>
"""
FILES = ("Include/small.h", "Include/Internal/deep.h", "Source/small.c", "Source/small_f16.c")


def pdsc(
    vendor: str = "ARM",
    name: str = "CMSIS-NN",
    version: str = "7.2.3",
    source: str = "Source/small.c",
    url: str = "http://127.0.0.1/",
) -> str:
    return PDSC.format(vendor=vendor, name=name, version=version, source=source, url=url)


def make_folder(folder: Path, text: str | bytes = "") -> Path:
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("/* small */\n")
    (folder / "notes.txt").write_text("not for a build")
    content = text or pdsc()
    path = folder / "ARM.CMSIS-NN.pdsc"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def make_zip(path: Path, folder: Path, **more: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
        for name, text in more.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYFLASH_PACKS", str(tmp_path / "packs"))
    monkeypatch.delenv("CMSIS_NN_PATH", raising=False)
    return tmp_path / "packs"


def everything(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")} if folder.is_dir() else set()


@pytest.mark.parametrize("zipped", [False, True])
def test_a_pack_is_added_listed_and_removed(zipped: bool, tmp_path: Path, store: Path) -> None:
    source = make_folder(tmp_path / "one")
    pack = add_pack(make_zip(tmp_path / "one.pack", source) if zipped else source)
    assert (pack.name, pack.version) == ("ARM::CMSIS-NN", "7.2.3")
    assert [p.name for p in pack.sources] == ["small.c"]
    assert [p.name for p in pack.includes] == ["Include"]
    assert (pack.includes[0] / "Internal" / "deep.h").is_file()
    assert not list(store.rglob("notes.txt"))
    assert added_packs() == (pack,)
    assert find_pack("ARM::CMSIS-NN") == pack == pack_of_set("cmsis_nn")
    remove_pack("ARM::CMSIS-NN")
    assert added_packs() == ()
    assert everything(store) == set()


def test_a_newer_one_takes_its_place(tmp_path: Path, store: Path) -> None:
    add_pack(make_folder(tmp_path / "one"))
    (tmp_path / "one" / "Source" / "small.c").unlink()
    (tmp_path / "one" / "Source" / "other.c").write_text("\n")
    newer = pdsc(version="8.0.0", source="Source/other.c")
    (tmp_path / "one" / "ARM.CMSIS-NN.pdsc").write_text(newer)
    add_pack(tmp_path / "one")
    (pack,) = added_packs()
    assert pack.version == "8.0.0"
    assert not (store / "ARM.CMSIS-NN" / "Source" / "small.c").exists()


def test_the_newest_release_names_the_version(tmp_path: Path) -> None:
    """In whatever order they are listed; the pack's files are those of its newest release."""
    one = '<release version="{}">.</release>'
    for order in (("6.0.0", "10.0.0", "7.1.0"), ("10.0.0", "10.0.0-rc1", "6.0.0")):
        text = pdsc().replace(
            '<release version="7.2.3">One.</release>', "".join(map(one.format, order))
        )
        assert add_pack(make_folder(tmp_path / "one", text)).version == "10.0.0"
    for none in ("", "a b", "latest"):
        text = pdsc().replace('release version="7.2.3"', f'release version="{none}"')
        assert add_pack(make_folder(tmp_path / "one", text)).version == "0"


def test_only_the_component_with_kernels_counts(tmp_path: Path) -> None:
    more = """<component Cclass="CMSIS" Cgroup="Other"><files>
        <file category="source" name="Source/absent.c"/></files></component>"""
    text = pdsc().replace("</components>", more + "</components>")
    pack = add_pack(make_folder(tmp_path / "one", text))
    assert [p.name for p in pack.sources] == ["small.c"]


def test_releases_that_are_too_old(tmp_path: Path) -> None:
    """By their number, and a checkout, which has none, by what it includes."""
    for version in ("4.0.0", "4.1.0", "5.0.0-rc1", "0.9"):
        with pytest.raises(BuildError, match=f"ARM::CMSIS-NN {version} is too old; take"):
            add_pack(make_folder(tmp_path / "one", pdsc(version=version)))
    for version in ("5.0.0", "10.0.0", "0.0.0"):
        assert add_pack(make_folder(tmp_path / "one", pdsc(version=version))).version == version
    (tmp_path / "one" / "Include" / "small.h").write_text('  #include "cmsis_compiler.h"\n')
    with pytest.raises(BuildError, match="needs CMSIS-Core; take"):
        add_pack(tmp_path / "one")


def test_an_added_pack_that_was_damaged(tmp_path: Path, store: Path) -> None:
    """One line says what to do, and either way helps: to remove it, or to add it again."""
    source = make_folder(tmp_path / "one")
    for mend in (lambda: remove_pack("ARM::CMSIS-NN"), lambda: add_pack(source)):
        add_pack(source)
        (store / "ARM.CMSIS-NN" / "Source" / "small.c").unlink()
        for use in (added_packs, lambda: pack_of_set("cmsis_nn")):
            with pytest.raises(BuildError, match="the pack lacks; add this pack again"):
                use()
        mend()
        added_packs()


def test_links_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link in a folder is not followed; in a pack that is used where it is, it is refused."""
    outside = tmp_path / "outside.c"
    outside.write_text("int outside;")
    source = make_folder(tmp_path / "one", pdsc(source="Source/link.c"))
    (source / "Source" / "link.c").symlink_to(outside)
    monkeypatch.setenv("CMSIS_NN_PATH", str(source))
    for use in (lambda: add_pack(source), lambda: pack_of_set("cmsis_nn")):
        with pytest.raises(BuildError, match="which the pack lacks"):
            use()


def test_a_variable_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMSIS_NN_PATH", str(make_folder(tmp_path / "one")))
    pack = pack_of_set("cmsis_nn")
    assert pack is not None
    assert pack.folder == tmp_path / "one"
    (tmp_path / "one" / "ARM.CMSIS-NN.pdsc").write_text(pdsc(name="Other"))
    with pytest.raises(BuildError, match="is the pack ARM::Other, not ARM::CMSIS-NN"):
        pack_of_set("cmsis_nn")


def test_a_missing_pack_is_named() -> None:
    assert pack_of_set("dsp") is None
    with pytest.raises(BuildError, match="run: tinyflash packs add ARM::CMSIS-NN") as caught:
        pack_of_set("cmsis_nn")
    assert "\n" not in str(caught.value)


ENTITIES = '<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><package>&b;</package>'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<package>", "cannot be read"),
        ("\0\xff", "cannot be read"),
        ("<other/>", "no valid <vendor>"),
        (ENTITIES, "declares a document type"),
        (ENTITIES.encode("utf-16"), "declares a document type"),
        (pdsc(vendor="../.."), "no valid <vendor>"),
        (pdsc(name="a/b"), "no valid <name>"),
        (pdsc(source="../outside.c"), "leads out of the pack"),
        (pdsc(source="/etc/passwd"), "leads out of the pack"),
        (pdsc(source="C:\\outside.c"), "leads out of the pack"),
        (pdsc(source="Source/absent.c"), "which the pack lacks"),
        (pdsc(source="Source/`touch x`.c"), "has characters that no build takes"),
        (pdsc(source="Source/$(touch x).c"), "has characters that no build takes"),
        (pdsc(source="Include/small.h"), "its source small.h is not C"),
        (pdsc().replace('category="source"', 'category="doc"'), "lists no sources"),
        (pdsc(source="Source/small_f16.c"), "lists no sources"),
        (
            pdsc().replace("NN Lib", "DSP"),
            "has neither the component 'NN Lib', which kernels are in",
        ),
        (pdsc(vendor="Keil"), "no kernel set is made of the pack Keil::CMSIS-NN"),
        (pdsc(name="CMSIS"), "no kernel set is made of the pack ARM::CMSIS, only of ARM::CMSIS-NN"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_broken_description(
    text: str | bytes, says: str, zipped: bool, tmp_path: Path, store: Path
) -> None:
    add_pack(make_folder(tmp_path / "good"))
    before = everything(tmp_path)
    source = make_folder(tmp_path / "bad", text)
    path = make_zip(tmp_path / "bad.pack", source) if zipped else source
    with pytest.raises(BuildError, match=says) as caught:
        add_pack(path)
    assert "\n" not in str(caught.value)
    assert {name for name in everything(tmp_path) - before if not name.startswith("bad")} == set()
    assert added_packs()[0].version == "7.2.3"


@pytest.mark.parametrize("name", ["../outside.c", "/outside.c", "a/../../outside.c", "..\\out.c"])
def test_names_in_an_archive_that_lead_out_of_it(name: str, tmp_path: Path, store: Path) -> None:
    path = make_zip(tmp_path / "bad.pack", make_folder(tmp_path / "bad"), **{name: "int x;"})
    with pytest.raises(BuildError, match="leads out of the pack"):
        add_pack(path)
    assert everything(store) == set()
    assert not list(tmp_path.rglob("*out*.c"))


def test_what_is_no_pack(tmp_path: Path, store: Path) -> None:
    (tmp_path / "text.pack").write_text("not a zip")
    (tmp_path / "empty").mkdir()
    two = make_folder(tmp_path / "two")
    (two / "second.pdsc").write_text(pdsc())
    for path in (tmp_path / "text.pack", tmp_path / "absent.pack", tmp_path / "empty", two):
        with pytest.raises(BuildError) as caught:
            add_pack(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert everything(store) == set()


def test_every_cut_and_every_flip_of_a_pack(tmp_path: Path, store: Path) -> None:
    """Either it is added, or one line says why not, and the store is as before."""
    good = make_zip(tmp_path / "good.pack", make_folder(tmp_path / "one")).read_bytes()
    bad = tmp_path / "bad.pack"
    for position in range(0, len(good), 7):
        flipped = good[:position] + bytes([good[position] ^ 0x41]) + good[position + 1 :]
        for content in (good[:position], flipped):
            bad.write_bytes(content)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of names that occur twice
                    add_pack(bad)
            except BuildError as error:
                assert "\n" not in str(error)
            assert everything(tmp_path) >= {"good.pack", "bad.pack"}
            assert {p.name for p in tmp_path.iterdir()} <= {"one", "packs", "good.pack", "bad.pack"}
            assert len(list(store.iterdir())) <= 2


def test_a_pack_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyflash.boards.packs._PACK_BYTES", 100)
    source = make_folder(tmp_path / "one")
    for path in (source, make_zip(tmp_path / "one.pack", source)):
        with pytest.raises(BuildError, match="is too large"):
            add_pack(path)


DEVICES = """<devices><family Dfamily="A" Dvendor="Acme:999">
  <device Dname="AC7"><algorithm name="Flash/{name}" start="0" size="0x1000"/></device>
</family></devices>"""


def device_folder(folder: Path, name: str = "AC7.FLM") -> Path:
    """A pack of devices: no kernels, but a flash algorithm, an SVD file, and sources."""
    text = pdsc(vendor="Acme", name="AC7_DFP").replace("NN Lib", "Device")
    make_folder(folder, text.replace("<components>", DEVICES.format(name=name) + "<components>"))
    (folder / "Flash").mkdir()
    (folder / "Flash" / "AC7.FLM").write_bytes(b"\x7fELF algorithm")
    (folder / "AC7.svd").write_text("<device/>")
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_pack_of_devices(zipped: bool, tmp_path: Path, store: Path) -> None:
    """Of thousands of files, the description and the flash algorithms are kept."""
    source = device_folder(tmp_path / "one")
    path = make_zip(tmp_path / "one.pack", source) if zipped else source
    done = CliRunner().invoke(main, ["packs", "add", str(path)])
    assert done.output == "added Acme::AC7_DFP 7.2.3: 1 flash algorithm\n"
    kept = {p.name for p in (store / "Acme.AC7_DFP").rglob("*") if p.is_file()}
    assert kept == {"ARM.CMSIS-NN.pdsc", "AC7.FLM"}
    pack = find_pack("Acme::AC7_DFP")
    assert pack is not None
    assert [p.read_bytes() for p in pack.algorithms] == [b"\x7fELF algorithm"]
    remove_pack("Acme::AC7_DFP")
    assert everything(store) == set()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent.FLM", "nor the flash algorithm of a device"),
        ("../../AC7.FLM", "leads out of the pack"),
    ],
)
def test_a_pack_of_devices_that_is_none(name: str, says: str, tmp_path: Path, store: Path) -> None:
    with pytest.raises(BuildError, match=says):
        add_pack(device_folder(tmp_path / "one", name))
    assert everything(store) == set()


def test_the_name_of_a_pack_of_kernels_without_any(tmp_path: Path, store: Path) -> None:
    source = device_folder(tmp_path / "one")
    text = (source / "ARM.CMSIS-NN.pdsc").read_text()
    (source / "ARM.CMSIS-NN.pdsc").write_text(
        text.replace("Acme<", "ARM<").replace("AC7_DFP", "CMSIS-NN")
    )
    with pytest.raises(BuildError, match="ARM::CMSIS-NN lists no kernels"):
        add_pack(source)
    assert everything(store) == set()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A loopback server with an index of one pack."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (folder / "ARM.CMSIS-NN.pdsc").write_text(pdsc(url=url))
        make_zip(folder / "ARM.CMSIS-NN.7.2.3.pack", make_folder(tmp_path / "made", pdsc(url=url)))
        listed = f'<pdsc url="{url}" vendor="ARM" name="CMSIS-NN" version="7.2.3"/>'
        (folder / "index.pidx").write_text(
            '<?xml version="1.0"?><index schemaVersion="1.1.0"><vendor>ARM</vendor>'
            f"<url>{url}</url><pindex>{listed}</pindex></index>"
        )
        yield url, folder
        server.shutdown()
        thread.join()


def test_a_round_trip_with_an_index(site: tuple[str, Path], store: Path) -> None:
    pytest.importorskip("cmsis_pack_manager")
    pack = download_pack("ARM::CMSIS-NN", site[0] + "index.pidx")
    assert (pack.name, pack.version) == ("ARM::CMSIS-NN", "7.2.3")
    assert pack == find_pack("ARM::CMSIS-NN")


def test_an_index_without_it(site: tuple[str, Path], store: Path) -> None:
    pytest.importorskip("cmsis_pack_manager")
    url, folder = site
    with pytest.raises(BuildError, match="does not list the pack ARM::Other"):
        download_pack("ARM::Other", url + "index.pidx")
    (folder / "ARM.CMSIS-NN.pdsc").rename(folder / "ARM.Other.pdsc")
    listed = (folder / "index.pidx").read_text()
    (folder / "other.pidx").write_text(listed.replace('name="CMSIS-NN"', 'name="Other"'))
    with pytest.raises(BuildError, match="does not list the pack ARM::CMSIS-NN"):
        download_pack("ARM::CMSIS-NN", url + "other.pidx")
    (folder / "ARM.Other.pdsc").rename(folder / "ARM.CMSIS-NN.pdsc")
    with pytest.raises(BuildError, match="lists no packs that can be read, or cannot be reached"):
        download_pack("ARM::CMSIS-NN", url + "absent.pidx")
    (folder / "ARM.CMSIS-NN.7.2.3.pack").unlink()
    with pytest.raises(BuildError, match="downloaded"):
        download_pack("ARM::CMSIS-NN", url + "index.pidx")
    assert everything(store) == set()


def test_on_the_command_line(tmp_path: Path) -> None:
    run = CliRunner()
    done = run.invoke(main, ["packs", "add", str(make_folder(tmp_path / "one"))])
    assert done.output == "added ARM::CMSIS-NN 7.2.3: 1 sources\n"
    assert "ARM::CMSIS-NN" in run.invoke(main, ["packs", "list"]).output
    done = run.invoke(main, ["packs", "remove", "ARM::CMSIS-NN"])
    assert done.output == "removed ARM::CMSIS-NN; boards that list cmsis_nn need it\n"
    done = run.invoke(main, ["packs", "remove", "ARM::CMSIS-NN"])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "is not added" in done.output
    done = run.invoke(main, ["packs", "add", "absent.pack"])
    assert (done.exit_code, done.output) == (1, "error: absent.pack is missing\n")


def test_a_board_without_its_pack(tmp_path: Path) -> None:
    """Commands for it end with one line; boards that do not list the set are not concerned."""
    mine = tmp_path / "mine"
    shutil.copytree(source_root() / "boards" / "qemu_stm32f405", mine)
    listed = (mine / "board.toml").read_text().replace('["dsp", "ref"]', '["cmsis_nn", "ref"]')
    (mine / "board.toml").write_text(listed)
    model = str(source_root() / "python/tinyflash/zoo/networks/digits.tflite")
    words = ["compile", model, "-o", str(tmp_path / "out"), "--board"]
    done = CliRunner().invoke(main, [*words, str(mine)])
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert "needs the pack ARM::CMSIS-NN, which is not added" in done.output
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(main, [*words, "qemu_stm32f405"]).exit_code == 0
