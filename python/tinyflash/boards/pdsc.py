"""Reads the .pdsc of a CMSIS pack: the C sources and the headers that it lists for kernels, or the
flash algorithms that it lists for devices.

A pack is untrusted: names that lead out of it, or that a shell could take for more than a name, are
refused, as are document types, whose entities can grow without bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.parsers import expat

from tinyflash import files
from tinyflash.errors import BuildError, printable

_PDSC_BYTES = 1 << 24
_GROUP = "NN Lib"  # Cgroup of the component that has CMSIS-NN
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+-]{0,63}")
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")  # file names that need no quotes
# Of CMSIS-NN. 4.0.0 includes headers of CMSIS-Core, and the .pdsc of 4.1.0 leaves a source out.
_OLDEST = "5.0.0"
_UNKNOWN = ("0", "0.0.0")  # versions of a checkout, which has no number
_CORE_HEADER = re.compile(rb'^\s*#\s*include\s*"cmsis_compiler\.h"', re.MULTILINE)
_FLOATING = ("_f32.c", "_f16.c", "_flt.c")  # of no use to int8, and not compiled by all compilers


@dataclass(frozen=True)
class Pack:
    """A pack in a folder. name: VENDOR::NAME. sources, includes: absolute. algorithms: of a pack of
    devices, which has no kernels: its flash algorithms (.FLM)."""

    name: str
    version: str
    folder: Path
    sources: tuple[Path, ...]
    includes: tuple[Path, ...]
    algorithms: tuple[Path, ...] = ()


def is_pack_name(name: str) -> bool:
    """Whether a text is VENDOR::NAME."""
    vendor, separator, rest = name.partition("::")
    return bool(separator and _NAME.fullmatch(vendor) and _NAME.fullmatch(rest))


def read_pack(folder: Path, shown: Path | None = None) -> Pack:
    """Reads the .pdsc of a folder. shown: its name in errors, which are BuildErrors."""
    where = shown or folder
    found = sorted(folder.glob("*.pdsc")) if folder.is_dir() else []
    if len(found) != 1:
        raise BuildError(f"{where} is not a CMSIS pack: it has {len(found)} .pdsc files, not one")
    root = _read(found[0], where)
    name = f"{_word(root, 'vendor', where)}::{_word(root, 'name', where)}"
    parts = [c for c in root.iter("component") if c.get("Cgroup") == _GROUP]
    if not parts:
        return Pack(name, _version(root), folder, (), (), _algorithms(root, name, folder, where))
    listed = [file for component in parts for file in component.iter("file")]
    sources = _of(listed, "source", folder, where)
    headers = _of(listed, "header", folder, where)
    chosen = tuple(file for file in sources if not file.name.endswith(_FLOATING))
    if not chosen:
        raise BuildError(f"{where}: its {found[0].name} lists no sources")
    foreign = next((file for file in chosen if file.suffix != ".c"), None)
    if foreign:
        raise BuildError(f"{where}: its source {foreign.name} is not C")
    version = _version(root)
    if version not in _UNKNOWN and version_order(version) < version_order(_OLDEST):
        raise BuildError(f"{where}: {name} {version} is too old; take {_OLDEST} or newer")
    if any(_CORE_HEADER.search(files.read_bytes(header, _PDSC_BYTES)) for header in headers):
        raise BuildError(f"{where}: {name} needs CMSIS-Core; take {_OLDEST} or newer")
    includes = tuple(dict.fromkeys(header.parent for header in headers))
    return Pack(name, version, folder, chosen, includes)


def _algorithms(
    root: ElementTree.Element, name: str, folder: Path, where: Path
) -> tuple[Path, ...]:
    """Returns the flash algorithms of a pack of devices, of which some packs lack a few."""
    listed = [
        relative_name(algorithm.get("name", ""), where)
        for devices in root.iterfind("devices")
        for algorithm in devices.iter("algorithm")
    ]
    found = tuple(p for p in (folder / n for n in dict.fromkeys(listed)) if p.is_file())
    if not found:
        raise BuildError(
            f"{where}: {name} has neither the component {_GROUP!r}, which kernels are in, nor the "
            "flash algorithm of a device"
        )
    return found


def lists_kernels(text: bytes, where: Path, name: str) -> bool:
    """Whether the content of a .pdsc lists kernels. Raises BuildError for what is none."""
    return any(c.get("Cgroup") == _GROUP for c in _parsed(text, where, name).iter("component"))


def _read(path: Path, where: Path) -> ElementTree.Element:
    try:
        text = files.read_bytes(path, _PDSC_BYTES)
    except (OSError, ValueError) as error:
        raise BuildError(f"{where}: {path.name} cannot be read: {error}") from error
    return _parsed(text, where, path.name)


def _parsed(text: bytes, where: Path, name: str) -> ElementTree.Element:
    try:
        _refuse_document_types(text, where, name)
        return ElementTree.fromstring(text)
    except (
        *(ElementTree.ParseError, expat.ExpatError),
        *(OSError, ValueError, LookupError, RecursionError),
    ) as error:
        raise BuildError(f"{where}: {name} cannot be read: {error}") from error


def _refuse_document_types(text: bytes, where: Path, name: str) -> None:
    """Raises BuildError before any entity could be declared, in any encoding."""

    def refuse(*_declaration: object) -> None:
        raise BuildError(f"{where}: {name} declares a document type, which no pack needs")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(text, True)


def _word(root: ElementTree.Element, tag: str, where: Path) -> str:
    text = (root.findtext(tag) or "").strip()
    if root.tag != "package" or not _NAME.fullmatch(text):
        raise BuildError(f"{where}: its .pdsc has no valid <{tag}>: {printable(text)!r}")
    return text


def _version(root: ElementTree.Element) -> str:
    """Returns the newest release, in whatever order they are listed; "0" if there is none."""
    versions = [release.get("version", "") for release in root.iterfind("releases/release")]
    return max(filter(_VERSION.fullmatch, versions), key=version_order, default="0")


def version_order(version: str) -> tuple[bool, list[int], str]:
    """Numbers by value; of equal ones, a release is newer than its candidates (1.0.0-rc1)."""
    release, dash, _ = version.partition("-")
    return bool(release), [int(n) for n in re.findall(r"\d+", release)], "" if dash else "~"


def _of(listed: list[ElementTree.Element], category: str, folder: Path, where: Path) -> list[Path]:
    names = [file.get("name", "") for file in listed if file.get("category") == category]
    return [_inside(folder, name, where) for name in dict.fromkeys(names)]


def _inside(folder: Path, name: str, where: Path) -> Path:
    """Returns the file that a .pdsc names. Raises BuildError unless it is in the folder."""
    relative = relative_name(name, where)
    if not _PLAIN.fullmatch(str(relative)):
        raise BuildError(
            f"{where}: the name {printable(name)!r} has characters that no build takes"
        )
    path = folder / relative
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise BuildError(f"{where}: its .pdsc lists {printable(name)!r}, which the pack lacks")
    return path


def relative_name(name: str, where: Path) -> PurePosixPath:
    """Returns a name within a pack. Raises BuildError for one that leads out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    odd = any(not c.isprintable() for c in name) or ":" in name
    if not name or odd or path.is_absolute() or ".." in path.parts:
        raise BuildError(f"{where}: the name {printable(name)!r} leads out of the pack")
    return path
