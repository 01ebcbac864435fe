"""CMSIS packs that kernel sets are made of, or that chips come with: adds, finds and removes them.

A pack is a folder with a .pdsc file, which lists its sources and headers, or a zip of such a folder
(.pack). Added packs are copied, so a build does not depend on where they came from. Everything
in a pack is untrusted: names that lead out of it are refused, and nothing of it is executed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tinyflash import files
from tinyflash.boards.pdsc import (
    Pack,
    is_pack_name,
    lists_kernels,
    read_pack,
    relative_name,
)
from tinyflash.errors import BuildError, printable

# The packs of kernel sets, and the variable that names a folder to use instead of an added pack.
PACKS: Mapping[str, str] = MappingProxyType({"cmsis_nn": "ARM::CMSIS-NN"})
_VARIABLES = {"ARM::CMSIS-NN": "CMSIS_NN_PATH"}

_PACK_BYTES, _FILES = 1 << 28, 20_000
# The files of a pack that a build reads, or that a debug probe does; and its licence.
_OF_KERNELS, _OF_DEVICES = (".c", ".h", ".pdsc"), (".flm", ".pdsc")


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
    return _added(folder) if folder.is_dir() else None


def _check_used(name: str) -> None:
    """Raises BuildError for a pack that no kernel set is made of."""
    if name not in PACKS.values():
        used = ", ".join(PACKS.values())
        raise BuildError(f"no kernel set is made of the pack {name}, only of {used}")


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
    return tuple(_added(path) for path in sorted(folder.iterdir()) if not _hidden(path))


def _added(folder: Path) -> Pack:
    try:
        return read_pack(folder.resolve())
    except BuildError as error:
        raise BuildError(f"{error}; add this pack again") from error


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
        pack = read_pack(copy, shown=path)
        name = pack.name
        if pack.sources:
            _check_used(name)
        elif name in PACKS.values():
            raise BuildError(f"{path}: {name} lists no kernels")
        old = target / name.replace("::", ".")
        if old.exists():
            old.rename(Path(private, "old"))
        copy.rename(old)
    return read_pack(old.resolve())


def remove_pack(name: str) -> None:
    """Removes an added pack. Raises BuildError if there is none with this name."""
    folder = packs_dir() / name.replace("::", ".")
    if not (is_pack_name(name) and folder.is_dir()):
        raise BuildError(f"pack {printable(name)} is not added; see: tinyflash packs list")
    shutil.rmtree(folder)


def _expect(pack: Pack, name: str) -> Pack:
    if pack.name != name:
        raise BuildError(f"{pack.folder} is the pack {pack.name}, not {name}")
    return pack


# ---- Copying ----


def _endings(text: bytes, pack: Path, name: str) -> tuple[str, ...]:
    """Returns how the files end that are kept of a pack, by the content of its .pdsc."""
    return _OF_KERNELS if lists_kernels(text, pack, name) else _OF_DEVICES


def _kept(name: str, endings: tuple[str, ...]) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in endings or path.name.upper().startswith("LICENSE")


def _copy_folder(folder: Path, to: Path) -> None:
    described = list(folder.glob("*.pdsc"))
    if len(described) != 1:  # before a large folder that is none is walked
        raise BuildError(f"{folder} is not a CMSIS pack: it has no .pdsc file, or several")
    budget = _Budget(folder)
    endings = _endings(described[0].read_bytes(), folder, described[0].name)
    for path in _walk(folder, endings):
        budget.take(path.stat().st_size)
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _walk(folder: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """Yields the files to copy; links are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [Path(place, name) for name in sorted(names) if _kept(name, endings)]
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _unpack(path: Path, to: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            budget, endings = _Budget(path), _endings_in(archive, path)
            for entry in archive.infolist():
                target = to / relative_name(entry.filename, path)
                if not entry.is_dir() and _kept(entry.filename, endings):
                    budget.take(entry.file_size)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(entry))
    except FileNotFoundError as error:
        raise BuildError(f"{path} is missing") from error
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise BuildError(f"{path} is not a .pack file: {error}") from error
    except (EOFError, ValueError) as error:
        raise BuildError(f"{path} is damaged: {error}") from error


def _endings_in(archive: zipfile.ZipFile, pack: Path) -> tuple[str, ...]:
    for entry in archive.infolist():
        if entry.filename.endswith(".pdsc") and "/" not in entry.filename:
            _Budget(pack).take(entry.file_size)
            return _endings(archive.read(entry), pack, entry.filename)
    return _OF_KERNELS  # whose reader says what is missing


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
