"""Downloads a CMSIS pack that a public index lists, with cmsis-pack-manager."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinyflash.boards.packs import add_pack
from tinyflash.boards.pdsc import Pack, is_pack_name, version_order
from tinyflash.errors import BuildError, printable
from tinyflash.paths import how_to_install


def download_pack(name: str, index: str | None = None) -> Pack:
    """Downloads VENDOR::NAME and adds it. index: the URL of another index than the public one.
    Raises BuildError; then nothing has changed."""
    if not is_pack_name(name):
        raise BuildError(f"{printable(name)!r} is neither a file, a folder nor VENDOR::NAME")
    manager = pack_manager()
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as private, as_build_errors(name):
        cache = open_cache(manager, Path(private), index)
        cache.cache_descriptors()
        vendor, _, pack = name.partition("::")
        return _download(manager, cache, Path(private, "data"), vendor, pack, index)


@contextmanager
def as_build_errors(name: str) -> Iterator[None]:
    """Within it, an error is a BuildError on `name`: the library raises plain exceptions."""
    try:
        yield
    except BuildError:
        raise
    except Exception as error:
        what = f"pack {name}" if is_pack_name(name) else f"the pack of {printable(name)}"
        raise BuildError(f"{what} cannot be downloaded: {error}") from error


def pack_manager() -> Any:
    """Returns the library. Raises BuildError if it is missing."""
    try:
        import cmsis_pack_manager
    except ImportError as error:
        raise BuildError(
            "downloading needs cmsis-pack-manager; run: "
            f"{how_to_install('cmsis-pack-manager')}, or download the .pack file and name it"
        ) from error
    return cmsis_pack_manager


def open_cache(manager: Any, private: Path, index: str | None) -> Any:
    """Returns a cache of its own, in folders that must exist."""
    json, data = private / "json", private / "data"
    json.mkdir()
    data.mkdir()
    urls = None
    if index is not None:
        urls = private / "indexes"
        urls.write_text(index + "\n", encoding="utf-8")
    return manager.Cache(
        True, False, json_path=str(json), data_path=str(data), vidx_list=urls and str(urls)
    )


def no_packs(index: str | None) -> BuildError:
    """Returns the error for an index without any."""
    return BuildError(f"{index or 'the public index'} lists no packs or cannot be reached")


def _download(
    manager: Any, cache: Any, data: Path, vendor: str, pack: str, index: str | None
) -> Pack:
    described = list(data.glob("*.pdsc"))
    if not described:  # a dead server raises nothing
        raise no_packs(index)
    prefix = f"{vendor}.{pack}."
    versions = [p.stem.removeprefix(prefix) for p in described if p.stem.startswith(prefix)]
    if not versions:
        raise BuildError(f"{index or 'the public index'} does not list the pack {vendor}::{pack}")
    newest = max(versions, key=version_order)
    cache.download_pack_list([manager.CmsisPackRef(vendor, pack, newest)])
    file = data / vendor / pack / f"{newest}.pack"
    if not file.is_file():
        raise BuildError(f"pack {vendor}::{pack} {newest} is listed, but cannot be downloaded")
    return add_pack(file)
