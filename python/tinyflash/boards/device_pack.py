"""What a CMSIS pack says of a device: core, memories, flash algorithm. With cmsis-pack-manager."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tinyflash.boards.pack_index import (
    as_build_errors,
    fetch_packs,
    no_packs,
    open_cache,
    pack_manager,
    private_folder,
    read_index,
)
from tinyflash.errors import BuildError, printable

_ALGORITHM_BYTES = 1 << 22


@dataclass(frozen=True)
class Memory:
    """A memory of a device. by_default: what a program is linked to without being told."""

    name: str
    start: int
    size: int
    writable: bool
    by_default: bool


@dataclass(frozen=True)
class Algorithm:
    """A program that erases and writes flash at [start, start + size): an .FLM file."""

    name: str
    start: int
    size: int
    content: bytes


@dataclass(frozen=True)
class Device:
    """A device of a pack. core: as the pack names it, "CortexM7". pack: VENDOR::NAME version.
    other_cores: of a device with several, which run programs of their own."""

    name: str
    core: str
    has_mpu: bool
    memories: tuple[Memory, ...]
    algorithms: tuple[Algorithm, ...]
    pack: str
    other_cores: tuple[str, ...] = ()


def find_device(name: str, index: str | None = None) -> Device:
    """Returns a device of the packs of an index. index: the URL of another than the public one.
    Raises BuildError."""
    manager = pack_manager()
    with as_build_errors(name), private_folder() as private:
        cache = open_cache(manager, private, index)
        read_index(cache, index)
        if not cache.index:  # a dead server raises nothing
            raise no_packs(index)
        found = cache.index.get(name)
        if found is None:
            near = _near(name, list(cache.index))
            hint = f"; is it {' or '.join(map(printable, near))}?" if near else ""
            raise BuildError(f"no pack of the index has a device {printable(name)!r}{hint}")
        fetch_packs(cache, cache.packs_for_devices([found]), index)
        return _device(found, _contents(cache, name, found))


def _near(name: str, names: Sequence[str]) -> list[str]:
    """Returns up to three devices that may be meant: in capitals, by wildcards, with the end that
    an order code has, or misspelt."""
    by_capitals = {one.upper(): one for one in sorted(names)}
    asked = name.upper()
    found = fnmatch.filter(by_capitals, asked if "*" in asked or "?" in asked else f"{asked}*")
    if not asked or not found:
        found = get_close_matches(asked, by_capitals, 3)
    return [by_capitals[one] for one in found[:3]]


def _contents(cache: Any, name: str, found: Mapping[str, Any]) -> list[bytes]:
    """Returns the files of the device's algorithms, in their order."""
    if not found.get("algorithms"):
        return []
    origin = found["from_pack"]
    if not Path(
        cache.data_path, origin["vendor"], origin["pack"], f"{origin['version']}.pack"
    ).is_file():
        raise BuildError(f"the pack of {printable(name)} is listed, but cannot be downloaded")
    try:
        files = list(cache.get_flash_algorithm_binary(name, all=True))
    except KeyError as error:
        named = ", ".join(printable(str(one["file_name"])) for one in found["algorithms"])
        raise BuildError(
            f"the pack of {printable(name)} lacks a flash algorithm that it names: {named}"
        ) from error
    contents = [file.read(_ALGORITHM_BYTES + 1) for file in files]
    if any(len(content) > _ALGORITHM_BYTES for content in contents):
        raise BuildError(f"the pack of {printable(name)} has a flash algorithm beyond 4 MB")
    return contents


def _device(found: Mapping[str, Any], contents: Sequence[bytes]) -> Device:
    """Raises KeyError, TypeError or ValueError for a description that is none."""
    core, *others = found.get("processors") or [found["processor"]]
    own = core.get("name")
    memories = {
        key: memory
        for key, memory in found["memories"].items()
        if memory.get("p_name") in (None, own)
    }
    pack = found["from_pack"]
    return Device(
        name=str(found["name"]),
        core=str(core["core"]),
        has_mpu=str(core.get("mpu", "")).lower() not in ("", "none", "notpresent", "0"),
        memories=tuple(sorted((_memory(*one) for one in memories.items()), key=_order)),
        algorithms=tuple(
            Algorithm(Path(str(a["file_name"]).replace("\\", "/")).name, a["start"], a["size"], c)
            for a, c in zip(found.get("algorithms") or (), contents, strict=True)
        ),
        pack=f"{pack['vendor']}::{pack['pack']} {pack['version']}",
        other_cores=tuple(str(other["core"]) for other in others),
    )


def _order(memory: Memory) -> tuple[int, str]:
    """The library's order changes from run to run."""
    return memory.start, memory.name


def _memory(name: str, memory: Mapping[str, Any]) -> Memory:
    return Memory(
        str(name),
        int(memory["start"]),
        int(memory["size"]),
        bool(memory["access"]["write"]),
        bool(memory.get("default") or memory.get("startup")),
    )
