"""What a CMSIS pack says of a device: core, memories, flash algorithm. With cmsis-pack-manager."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tinyflash.boards.pack_index import as_build_errors, no_packs, open_cache, pack_manager
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
    """A device of a pack. core: as the pack names it, "CortexM7". pack: VENDOR::NAME version."""

    name: str
    core: str
    has_mpu: bool
    memories: tuple[Memory, ...]
    algorithms: tuple[Algorithm, ...]
    pack: str


def find_device(name: str, index: str | None = None) -> Device:
    """Returns a device of the packs of an index. index: the URL of another than the public one.
    Raises BuildError."""
    manager = pack_manager()
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as private, as_build_errors(name):
        cache = open_cache(manager, Path(private), index)
        cache.cache_descriptors()
        if not cache.index:  # a dead server raises nothing
            raise no_packs(index)
        found = cache.index.get(name)
        if found is None:
            near = get_close_matches(name, cache.index, 3)
            hint = f"; is it {' or '.join(near)}?" if near else ""
            raise BuildError(f"no pack of the index has a device {printable(name)!r}{hint}")
        cache.download_pack_list(cache.packs_for_devices([found]))
        return _device(found, _contents(cache, name, found))


def _contents(cache: Any, name: str, found: Mapping[str, Any]) -> list[bytes]:
    """Returns the files of the device's algorithms, in their order."""
    if not found.get("algorithms"):
        return []
    try:
        files = list(cache.get_flash_algorithm_binary(name, all=True))
    except KeyError as error:
        named = ", ".join(printable(str(one["file_name"])) for one in found["algorithms"])
        raise BuildError(
            f"the pack of {printable(name)} lacks a flash algorithm that it names: {named}"
        ) from error
    return [file.read(_ALGORITHM_BYTES) for file in files]


def _device(found: Mapping[str, Any], contents: Sequence[bytes]) -> Device:
    """Raises KeyError, TypeError or ValueError for a description that is none."""
    core = (found.get("processors") or [found["processor"]])[0]
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
