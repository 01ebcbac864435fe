"""CMSIS packs that kernel sets are made of: reads, adds, finds and removes them.

A pack is a folder with a .pdsc file, which lists its sources and headers, or a zip of such a folder
(.pack). Added packs are copied, so a build does not depend on where they came from. Everything
in a pack is untrusted: names that lead out of it are refused, and nothing of it is executed.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from xml.etree import ElementTree

from tinyflash import files
from tinyflash.errors import BuildError, printable

# The packs of kernel sets, and the variable that names a folder to use instead of an added pack.
PACKS: Mapping[str, str] = MappingProxyType({"cmsis_nn": "ARM::CMSIS-NN"})
_VARIABLES = {"ARM::CMSIS-NN": "CMSIS_NN_PATH"}

_PDSC_BYTES, _PACK_BYTES, _FILES = 1 << 24, 1 << 28, 20_000
_KEPT = (".c", ".h", ".pdsc")  # the files of a pack that a build reads; and its licence
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+-]{0,63}")
_FLOATING = ("_f32.c", "_f16.c", "_flt.c")  # of no use to int8, and not compiled by all compilers


@dataclass(frozen=True)
class Pack:
    """A pack in a folder. name: VENDOR::NAME. sources, includes: absolute."""

    name: str
    version: str
    folder: Path
    sources: tuple[Path, ...]
    includes: tuple[Path, ...]


def packs_dir() -> Path:
    """Returns the folder of added packs: TINYFLASH_PACKS, or packs in the cache directory."""
    chosen = os.environ.get("TINYFLASH_PACKS")
    return Path(chosen).expanduser() if chosen else files.cache_dir() / "packs"


def find_pack(name: str) -> Pack | None:
    """Returns a pack: from the folder that its variable names, else the added one; None if there is
    neither. Raises BuildError if it is damaged."""
    chosen = os.environ.get(_VARIABLES.get(name, ""))
    if chosen:
        return _expect(read_pack(Path(chosen).expanduser().resolve()), name)
    folder = packs_dir() / name.replace("::", ".")
    return read_pack(folder.resolve()) if folder.is_dir() else None


def pack_of_set(kernel_set: str) -> Pack | None:
    """Returns the pack that a kernel set is compiled with; None if the set needs none. Raises
    BuildError if it is missing."""
    if kernel_set not in PACKS:
        return None
    name = PACKS[kernel_set]
    pack = find_pack(name)
    if pack is None:
        raise BuildError(
            f"the kernel set {kernel_set} needs the pack {name}, which is not added; run: "
            f"tinyflash packs add {name}, set {_VARIABLES[name]} to its folder, or take "
            f"{kernel_set} out of the board's kernels"
        )
    return pack


def added_packs() -> tuple[Pack, ...]:
    """Returns all added packs, by name. Raises BuildError if one is damaged."""
    folder = packs_dir()
    if not folder.is_dir():
        return ()
    return tuple(read_pack(p.resolve()) for p in sorted(folder.iterdir()) if not _hidden(p))


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or not path.is_dir()


def add_pack(path: Path) -> Pack:
    """Adds a pack from a folder or a .pack file, in place of one with this name. Raises BuildError;
    then nothing has changed."""
    target = packs_dir()
    try:
        target.mkdir(parents=True, exist_ok=True)
        return _add(path, target)
    except OSError as error:
        raise BuildError(f"{path} cannot be added to {target}: {error}") from error


def _add(path: Path, target: Path) -> Pack:
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=target) as private:
        copy = Path(private, "pack")
        if path.is_dir():
            _copy_folder(path, copy)
        else:
            _unpack(path, copy)
        name = read_pack(copy, shown=path).name.replace("::", ".")
        old = target / name
        if old.exists():
            old.rename(Path(private, "old"))
        copy.rename(old)
    return read_pack(old.resolve())


def remove_pack(name: str) -> None:
    """Removes an added pack. Raises BuildError if there is none with this name."""
    folder = packs_dir() / name.replace("::", ".")
    vendor, _, rest = name.partition("::")
    if not (_NAME.fullmatch(vendor) and _NAME.fullmatch(rest) and folder.is_dir()):
        raise BuildError(f"pack {printable(name)} is not added; see: tinyflash packs list")
    shutil.rmtree(folder)


def _expect(pack: Pack, name: str) -> Pack:
    if pack.name != name:
        raise BuildError(f"{pack.folder} is the pack {pack.name}, not {name}")
    return pack


# ---- Reading ----


def read_pack(folder: Path, shown: Path | None = None) -> Pack:
    """Reads the .pdsc of a folder. shown: its name in errors, which are BuildErrors."""
    where = shown or folder
    found = sorted(folder.glob("*.pdsc")) if folder.is_dir() else []
    if len(found) != 1:
        raise BuildError(f"{where} is not a CMSIS pack: it has {len(found)} .pdsc files, not one")
    root = _parsed(found[0], where)
    name = f"{_word(root, 'vendor', where)}::{_word(root, 'name', where)}"
    listed = [file for c in root.iter("component") for file in c.iter("file")]
    sources = _of(listed, "source", folder, where)
    headers = _of(listed, "header", folder, where)
    if not sources:
        raise BuildError(f"{where}: its {found[0].name} lists no sources")
    chosen = tuple(file for file in sources if not file.name.endswith(_FLOATING))
    includes = tuple(dict.fromkeys(header.parent for header in headers))
    return Pack(name, _version(root), folder, chosen, includes)


def _parsed(path: Path, where: Path) -> ElementTree.Element:
    """Returns the .pdsc. Declarations of entities, which could grow without bound, are refused."""
    try:
        text = files.read_bytes(path, _PDSC_BYTES)
        if b"<!" in text.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
            raise BuildError(f"{where}: {path.name} declares a document type, which no pack needs")
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, OSError, ValueError, LookupError, RecursionError) as error:
        raise BuildError(f"{where}: {path.name} cannot be read: {error}") from error


def _word(root: ElementTree.Element, tag: str, where: Path) -> str:
    text = (root.findtext(tag) or "").strip()
    if root.tag != "package" or not _NAME.fullmatch(text):
        raise BuildError(f"{where}: its .pdsc has no valid <{tag}>: {printable(text)!r}")
    return text


def _version(root: ElementTree.Element) -> str:
    """Returns the newest version, the first release."""
    release = root.find("releases/release")
    version = "" if release is None else release.get("version", "")
    return version if _VERSION.fullmatch(version) else "0"


def _of(listed: list[ElementTree.Element], category: str, folder: Path, where: Path) -> list[Path]:
    names = [file.get("name", "") for file in listed if file.get("category") == category]
    return [_inside(folder, name, where) for name in dict.fromkeys(names)]


def _inside(folder: Path, name: str, where: Path) -> Path:
    """Returns the file that a .pdsc names. Raises BuildError unless it is in the folder."""
    path = folder / _relative(name, where)
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise BuildError(f"{where}: its .pdsc lists {printable(name)!r}, which the pack lacks")
    return path


def _relative(name: str, where: Path) -> PurePosixPath:
    """Returns a name within a pack. Raises BuildError for one that leads out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    odd = any(not c.isprintable() for c in name) or ":" in name
    if not name or odd or path.is_absolute() or ".." in path.parts:
        raise BuildError(f"{where}: the name {printable(name)!r} leads out of the pack")
    return path


# ---- Copying ----


def _kept(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in _KEPT or path.name.upper().startswith("LICENSE")


def _copy_folder(folder: Path, to: Path) -> None:
    if len(list(folder.glob("*.pdsc"))) != 1:  # before a large folder that is none is walked
        raise BuildError(f"{folder} is not a CMSIS pack: it has no .pdsc file, or several")
    budget = _Budget(folder)
    for path in _walk(folder):
        budget.take(path.stat().st_size)
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _walk(folder: Path) -> Iterator[Path]:
    """Yields the files to copy; links are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [Path(place, name) for name in sorted(names) if _kept(name)]
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _unpack(path: Path, to: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            budget = _Budget(path)
            for entry in archive.infolist():
                target = to / _relative(entry.filename, path)
                if not entry.is_dir() and _kept(entry.filename):
                    budget.take(entry.file_size)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(entry))
    except FileNotFoundError as error:
        raise BuildError(f"{path} is missing") from error
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise BuildError(f"{path} is not a .pack file: {error}") from error
    except (EOFError, ValueError) as error:
        raise BuildError(f"{path} is damaged: {error}") from error


class _Budget:
    """The files and bytes that a pack may still have."""

    def __init__(self, pack: Path) -> None:
        self.pack, self.files, self.bytes = pack, 0, 0

    def take(self, nbytes: int) -> None:
        self.files, self.bytes = self.files + 1, self.bytes + nbytes
        if self.files > _FILES or self.bytes > _PACK_BYTES:
            raise BuildError(
                f"{self.pack} is too large: a pack may have {_FILES:,} sources and headers with "
                f"{_PACK_BYTES:,} bytes"
            )
