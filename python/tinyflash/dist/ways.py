"""The products, one for each way into a build: where the library goes, and what else there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tinyflash.dist import layout
from tinyflash.dist.amalgamation import amalgamation
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE, kernel_sets

# What an example needs: the network, for a build that compiles it, or the compiled model.
Model = Callable[[Path], None]


@dataclass(frozen=True)
class Way:
    """A way into a build. folder: of its templates and its product. example: the folder of the
    product that the network goes to. headers, sources: where the library goes, if it does. sets:
    its kernel sets; None: all. more: adds other files; sources are relative to the folder."""

    folder: str
    example: str
    model: Model
    headers: str | None = None
    sources: str | None = None
    sets: tuple[str, ...] | None = None
    more: Callable[[Path], None] | None = None


def _amalgamated(folder: Path) -> None:
    """Adds a folder for each kernel set: one C file, one header, and the library's headers as
    lines that include it."""
    root = source_root()
    for name in kernel_sets(root):
        header, source = amalgamation(root, name)
        layout.put(folder / name / "tinyflash.h", header.encode())
        layout.put(folder / name / "tinyflash.c", source.encode())
        layout.add_licence(folder / name)
        for path in sorted((root / "include").rglob("*.h")):
            place = path.relative_to(root / "include")
            up = "../" * (len(place.parts) - 1)
            layout.put(folder / name / place, f'#include "{up}tinyflash.h"\n'.encode())


def _with_model_function(folder: Path) -> None:
    """Adds the CMake function that compiles networks, for builds that are made of CMake."""
    name = "tinyflash_model.cmake"
    layout.put(folder / name, (layout.TEMPLATES / "cmake" / name).read_bytes())


def _packed(folder: Path) -> None:
    """Adds the .pack, a zip of the folder."""
    name = f"tinyflash.tinyflash.{version('tinyflash')}.pack"
    layout.put(folder / name, layout.zipped(folder))


DIGITS = "examples/digits"
FOR_MICROCONTROLLERS = ("ref", "dsp", "mve")
WAYS = (
    Way("amalgamated", DIGITS, layout.add_model, more=_amalgamated),
    Way("cmake", DIGITS, layout.add_network, "include", "lib"),
    Way(
        "cmsis-pack",
        DIGITS,
        layout.add_model,
        "include",
        "lib",
        (*FOR_MICROCONTROLLERS, "cmsis_nn"),
        _packed,
    ),
    Way(
        "zephyr",
        "samples/digits",
        layout.add_network,
        "include",
        "lib",
        FOR_MICROCONTROLLERS,
        _with_model_function,
    ),
    Way("arduino", DIGITS, layout.add_model, "src", "src/lib", FOR_MICROCONTROLLERS),
    Way(
        "platformio",
        f"{DIGITS}/src",
        layout.add_model,
        "include",
        "lib",
        (*FOR_MICROCONTROLLERS, "host"),
    ),
    Way(
        "esp-idf",
        f"{DIGITS}/main",
        layout.add_network,
        "include",
        "lib",
        (REFERENCE,),
        _with_model_function,
    ),
)


def make(way: Way, base: Path) -> Path:
    """Makes a product, base/way.folder, in place of an older one, and returns its folder. Raises
    DataError."""
    folder = base / way.folder
    layout.remove(folder)
    layout.add_licence(folder)
    files: list[str] = []
    if way.headers and way.sources:
        files = layout.copy_library(folder, way.headers, way.sources, way.sets)
    layout.render(way.folder, folder, {"version": version("tinyflash"), "files": files})
    way.model(folder / way.example)
    if way.more:
        way.more(folder)
    return folder


def title(folder: Path) -> str:
    """Returns the title of a product's page: "tinyflash for CMake"."""
    return (folder / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
