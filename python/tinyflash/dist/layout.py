"""Files of a product: copies of the library, templates, an example's model."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tinyflash.compiler import compile_model
from tinyflash.errors import DataError
from tinyflash.paths import source_root
from tinyflash.read import read
from tinyflash.scheme import load_scheme
from tinyflash.sources import REFERENCE, library_sources
from tinyflash.write.model import write_model

TEMPLATES = Path(__file__).with_name("templates")
_TITLE = b"# tinyflash"  # begins README.md of each product
_RENDERED = ".jinja"
MODEL = "digits"


def remove(folder: Path) -> None:
    """Removes an older product. Raises DataError if something other than an older
    product is in its place."""
    readme = folder / "README.md"
    if folder.exists() and any(folder.iterdir()):
        if not (readme.is_file() and readme.read_bytes().startswith(_TITLE)):
            raise DataError(f"{folder} is not a product of an earlier run; choose another BUILD")
        shutil.rmtree(folder)


def put(path: Path, content: bytes) -> None:
    """Writes a file of a product, which is made again if that fails half way. Raises DataError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def render(way: str, folder: Path, values: Mapping[str, Any]) -> None:
    """Writes the templates of a way into a folder: NAME.jinja with `values` as NAME, others as they
    are."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        keep_trailing_newline=False,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    for path in sorted(p for p in (TEMPLATES / way).rglob("*") if p.is_file()):
        target = folder / path.relative_to(TEMPLATES / way)
        content = path.read_bytes()
        if path.suffix == _RENDERED:
            name = path.relative_to(TEMPLATES).as_posix()
            text = environment.get_template(name).render(values)
            target, content = target.with_suffix(""), (text.rstrip("\n") + "\n").encode()
        put(target, content)


def copy_library(folder: Path, headers: str, sources: str, sets: Iterable[str] | None) -> list[str]:
    """Copies the headers to folder/headers and the C files, with their own headers, to
    folder/sources. Returns the names of the C files, relative to `folder`."""
    root = source_root()
    copied = []
    for path in sorted((root / "include").rglob("*.h")):
        put(folder / headers / path.relative_to(root / "include"), path.read_bytes())
    files = library_sources(root, sets)
    for place in {path.parent for path in files}:
        files += place.glob("*.h")
    for path in sorted(files):
        target = Path(sources) / path.relative_to(root / "lib")
        put(folder / target, path.read_bytes())
        copied += [target.as_posix()] if path.suffix == ".c" else []
    return copied


def add_licence(folder: Path) -> None:
    put(folder / "LICENSE", (source_root() / "LICENSE").read_bytes())


def example_files() -> tuple[Path, Path]:
    """Returns the network of the example, and its scheme."""
    example = source_root() / "examples" / "minimal"
    return example / f"{MODEL}.tflite", example / "scheme.toml"


def add_network(folder: Path) -> None:
    """Copies network and scheme of the example, for builds that call the compiler."""
    for path in example_files():
        put(folder / path.name, path.read_bytes())


def add_model(folder: Path) -> None:
    """Compiles the example's network into a folder, for builds that cannot call the compiler."""
    network, scheme = example_files()
    compiled = compile_model(read(network), load_scheme(scheme), kernels=(REFERENCE,))
    write_model(compiled, folder, MODEL)


def zipped(folder: Path) -> bytes:
    """Returns a zip of the files of a folder: the same files, the same bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())  # dated 1980
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
