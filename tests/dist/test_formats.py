"""What Zephyr, Arduino, ESP-IDF and PlatformIO ask of a library, by their documentation.

Their tools need packages from outside, so their files are checked here by rules of our own.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

# https://arduino.github.io/arduino-cli/latest/library-specification/
ARDUINO = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category"}
ARDUINO |= {"url", "architectures", "includes"}
CATEGORIES = {"Display", "Communication", "Signal Input/Output", "Sensors", "Device Control"}
CATEGORIES |= {"Timing", "Data Storage", "Data Processing", "Other"}


def fields(path: Path) -> dict[str, str]:
    """The lines `name=value` or `name: value` of a file."""
    pairs = re.findall(r"^(\w+)(?:=|: ?)(.*)$", path.read_text(), re.MULTILINE)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))
    return {name: value.strip('"') for name, value in pairs}


def test_arduino(products: Path) -> None:
    folder = products / "arduino"
    found = fields(folder / "library.properties")
    assert set(found) == ARDUINO
    assert found["category"] in CATEGORIES
    assert found["version"] == version("tinyflash")
    assert (folder / "src" / found["includes"]).is_file()
    for sketch in folder.rglob("*.ino"):
        assert sketch.stem == sketch.parent.name  # or the builder refuses it
    # what the builder would take for something else
    assert not {p.name for p in folder.iterdir()} & {"utility", "library.json"}
    # it searches only src for headers, so all others are named from there
    headers = {p.relative_to(folder / "src").as_posix() for p in folder.glob("src/**/*.h")}
    for path in (folder / "src").rglob("*.[ch]"):
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            assert name in headers or (path.parent / name).is_file()


def test_platformio(products: Path) -> None:
    """https://docs.platformio.org/en/latest/manifests/library-json/index.html"""
    found = json.loads((products / "platformio" / "library.json").read_text())
    assert re.fullmatch(r"[^:;/,@<>]{1,50}", found["name"])
    assert found["version"] == version("tinyflash")
    assert 1 <= len(found["description"]) <= 255
    assert all(re.fullmatch(r"[a-z\d\- ]{1,50}", word) for word in found["keywords"])


def test_zephyr(products: Path) -> None:
    """Options that CMake reads are in Kconfig, and the files that module.yml names are there."""
    folder = products / "zephyr"
    module = (folder / "zephyr" / "module.yml").read_text()
    (cmake,) = re.findall(r"^  cmake: (\S+)$", module, re.MULTILINE)
    (kconfig,) = re.findall(r"^  kconfig: (\S+)$", module, re.MULTILINE)
    text = (folder / kconfig).read_text()
    defined = {f"CONFIG_{name}" for name in re.findall(r"^config (\w+)$", text, re.MULTILINE)}
    used = (folder / cmake / "CMakeLists.txt").read_text()
    assert set(re.findall(r"CONFIG_\w+", used)) == defined
    assert text.count("\nif ") == text.count("\nendif")
    settings = (folder / "samples" / "digits" / "prj.conf").read_text().split()
    assert {setting.removesuffix("=y") for setting in settings} <= defined


def test_esp_idf(products: Path) -> None:
    """https://docs.espressif.com/projects/idf-component-manager/en/latest/reference/manifest_file.html"""
    folder = products / "esp-idf"
    found = fields(folder / "idf_component.yml")
    assert found["version"] == version("tinyflash")
    assert {"description", "license", "dependencies"} <= set(found)
    registered = (folder / "CMakeLists.txt").read_text()
    assert all((folder / name).is_file() for name in re.findall(r'"(lib/[^"]+)"', registered))
