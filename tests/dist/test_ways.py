"""All ways into a build compile the same program to the same objects, and it learns the same.

Zephyr, ESP-IDF and Arduino are not here: small stand-ins (stand_ins/) take their place.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.support.dist import ROOT, attempt, learned, needs, shell
from tests.support.strict import C99

from tinyflash.dist.ways import WAYS
from tinyflash.sources import REFERENCE, library_sources

STAND_INS = Path(__file__).with_name("stand_ins")
FLAGS = ["-std=c99", "-O1"]
Objects = dict[str, bytes]
Built = tuple[Objects, str]


def place(path: Path) -> str:
    """Which file of the library: kernels/ref/add."""
    return re.sub(r"^.*/lib/", "", path.as_posix()).split(".")[0]


def of_the_reference(paths: list[Path]) -> list[Path]:
    return [p for p in paths if "/kernels/" not in p.as_posix() or p.parent.name == REFERENCE]


def compiled(sources: list[Path], include: Path, folder: Path) -> Objects:
    """The objects that a compiler makes of files of the library and of the reference."""
    folder.mkdir()
    chosen = of_the_reference(sources)
    shell(["cc", *FLAGS, f"-I{include}", "-c", *chosen], folder)
    return {place(path): (folder / f"{path.stem}.o").read_bytes() for path in chosen}


def run_of(objects: Path, include: Path, example: Path) -> str:
    """What the program of an example prints, linked with objects."""
    own = sorted(example.glob("*.c"))
    shell([*C99, f"-I{include}", *own, *objects.glob("*.o"), "-o", "run"], objects)
    return shell(["./run"], objects)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Of the sources themselves."""
    sources = library_sources(ROOT, [REFERENCE])
    return compiled(sources, ROOT / "include", tmp_path_factory.mktemp("base") / "objects")


def by_listing(product: Path, folder: Path, command: Path) -> Built:
    said = shell([command / "tinyflash", "sources"], folder).split()
    include, sources = Path(said[0].removeprefix("-I")), [Path(name) for name in said[1:]]
    made = compiled(sources, include, folder / "objects")
    return made, run_of(folder / "objects", include, product.parent / "amalgamated/examples/digits")


def by_pack(product: Path, folder: Path, command: Path) -> Built:
    """As a tool for packs does: the files of the two components that every project has."""
    (file,) = product.glob("*.pdsc")
    parts = {c.get("Csub"): c for c in ElementTree.parse(file).iter("component")}
    chosen = [*parts["Library"].iter("file"), *parts["Kernels ref"].iter("file")]
    listed = [f for f in chosen if f.get("attr") != "template"]
    sources = [product / f.get("name", "") for f in listed if f.get("category") == "source"]
    (include,) = {product / f.get("name", "") for f in listed if f.get("category") == "include"}
    made = compiled(sources, include, folder / "objects")
    return made, run_of(folder / "objects", include, product / "examples" / "digits")


def by_platformio(product: Path, folder: Path, command: Path) -> Built:
    manifest = json.loads((product / "library.json").read_text())
    example = product / manifest["examples"][0]["base"]
    assert all((example / name).is_file() for name in manifest["examples"][0]["files"])
    include = product / manifest["build"]["includeDir"]
    assert (include / manifest["headers"]).is_file()
    sources = sorted((product / manifest["build"]["srcDir"]).rglob("*.c"))
    made = compiled(sources, include, folder / "objects")
    return made, run_of(folder / "objects", include, example / "src")


def by_arduino(product: Path, folder: Path, command: Path) -> Built:
    include = product / "src"
    made = compiled(sorted(include.rglob("*.c")), include, folder / "objects")
    example = product / "examples" / "digits"
    shell([*C99, f"-I{include}", "-c", example / "digits.c", "-o", "model.o"], folder / "objects")
    sketch = ["-x", "c++", "-include", "Arduino.h", example / "digits.ino", "-x", "none"]
    warned = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    found = sorted((folder / "objects").glob("*.o"))
    search = [f"-I{include}", f"-I{STAND_INS / 'arduino'}"]
    shell(["c++", *warned, *search, *sketch, *found, "-o", "run"], folder)
    said, checksum = shell(["./run"], folder).split("\n")[:2]
    return made, f"{said}: weights {int(checksum, 16):08x}\n"


def by_cmake(source: str, program: str, *options: str) -> Callable[[Path, Path, Path], Built]:
    """A build with CMake, of the example in `source`. {product}: in options, its folder."""

    def build(product: Path, folder: Path, command: Path) -> Built:
        given = [option.format(product=product) for option in options]
        flags = f"-DCMAKE_C_FLAGS={' '.join(FLAGS)}"
        shell(["cmake", "-S", product / source, "-B", ".", flags, *given], folder, command)
        shell(["cmake", "--build", "."], folder, command)
        found = [p for p in folder.rglob("*.o") if "/lib/" in p.as_posix()]
        made = {place(path): path.read_bytes() for path in of_the_reference(found)}
        return made, shell([folder / program], folder)

    return build


CMAKE = {
    "cmake": ("examples/digits", "digits", "-Dtinyflash_ROOT={product}", "-DTINYFLASH_KERNELS=ref"),
    "zephyr": (
        "samples/digits",
        "app",
        f"-DZephyr_DIR={STAND_INS / 'zephyr'}",
        "-DZEPHYR_EXTRA_MODULES={product}",
    ),
    "esp-idf": ("examples/digits", "app"),
}
BUILDS: dict[str, Callable[[Path, Path, Path], Built]] = {
    "cmsis-pack": by_pack,
    "platformio": by_platformio,
    "arduino": by_arduino,
    **{way: by_cmake(*arguments) for way, arguments in CMAKE.items()},
}
TOOLS = {**dict.fromkeys(CMAKE, "cmake"), "arduino": "c++"}


def test_every_way_is_built() -> None:
    assert {*BUILDS, "amalgamated"} == {way.folder for way in WAYS}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=needs(TOOLS.get(way, "cc"))) for way in ["listing", *BUILDS]]
)
def test_it_has_the_same_objects_and_learns_the_same(
    way: str,
    objects: Objects,
    products: Path,
    command: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IDF_PATH", str(STAND_INS / "esp-idf"))
    made, said = (BUILDS.get(way) or by_listing)(products / way, tmp_path, command)
    assert len(made) > 20
    assert sorted(made) == sorted(objects)
    assert [name for name in made if made[name] != objects[name]] == []
    assert said == learned()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.folder)
def test_its_program_is_short_and_its_licence_is_there(way: object, products: Path) -> None:
    folder = products / way.folder  # type: ignore[attr-defined]
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    (program,) = (p for n in ("main.c", "digits.ino") for p in folder.rglob(n))
    body = program.read_text().partition("session;\n")[2]
    assert len(body.split()) and len(body.strip().splitlines()) <= 20
